#include "app/stores.hpp"

#include <algorithm>
#include <chrono>

#include "observability/log.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace gantry::app {

result<std::unique_ptr<store::store>> open_store(const topology::topology& model, const std::string& plugin) {
  const auto& settings = model.stores.at(*model.plugins.at(plugin).store);
  const auto promise =
      *settings.durability == topology::store_durability::power ? store::durability::power : store::durability::process;
  if (*settings.driver == topology::store_driver::postgres) {
    store::postgres_options o;
    o.url = *settings.url;
    o.schema = topology::for_plugin(*settings.schema, plugin);
    if (settings.read_url.given) o.read_url = *settings.read_url;
    o.read_max_lag = std::chrono::duration_cast<std::chrono::milliseconds>(*settings.read_max_lag);
    o.tell = [plugin](std::string_view text) {
      observability::log_warn("A replica has gone, or come back.", {{"plugin", plugin}, {"reason", text}});
    };
    o.readers = std::max<std::size_t>(static_cast<std::size_t>(*settings.pool), 2) - 1;
    o.promise = promise;
    o.warn = [plugin](std::string_view text) {
      observability::log_warn("The store does not keep its promise.", {{"plugin", plugin}, {"reason", text}});
    };
    return store::open_postgres_store(o);
  }
  store::sqlite_options o;
  o.file = topology::for_plugin(*settings.path, plugin);
  o.promise = promise;
  return store::open_sqlite_store(o);
}

}  // namespace gantry::app
