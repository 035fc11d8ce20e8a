// A plugin built without hidden visibility: its inline variable gets STB_GNU_UNIQUE, and a thread_local object registers
// its destructor.
#include <string>

#include "gantry/abi/entry.h"

template <typename T>
struct counted {
  static inline int count = 0;
};

thread_local std::string last_name;

extern "C" {
static gantry_status create(const gantry_host*, const gantry_instance**) {
  last_name = "order";
  return ++counted<int>::count > 0 ? GANTRY_UNSUPPORTED : GANTRY_OK;
}
const gantry_entry gantry_plugin = {sizeof(gantry_entry), 1, 0, "order", "1.0.0", "sample", create};
}
