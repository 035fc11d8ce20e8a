// Boost.JSON is installed as headers alone; its functions are compiled here, once.
#include <boost/json/src.hpp>
