#include "app/elsewhere.hpp"

#include <algorithm>

namespace gantry::app {

call::placement placed_elsewhere(const topology::topology& model, const std::string& here, const host_family& family) {
  call::placement out;
  for (const auto& [plugin, settings] : model.plugins) {
    for (const auto& name : settings.hosts) {
      if (*name == here) continue;
      const auto& host = model.hosts.at(*name);
      if (const auto inner = family.inner.find(*name); inner != family.inner.end()) {
        out[plugin].push_back({*name, inner->second, false, {}, family.key});
      } else {
        out[plugin].push_back({*name, *host.advertise, host.tls.given, {}, {}});
      }
    }
  }
  return out;
}

call::remote_options remote_options_of(const topology::topology& model, const std::string& here, std::size_t callers) {
  call::remote_options out;
  const auto& tls = model.hosts.at(here).tls;
  out.tls = {*tls.cert, *tls.key, *tls.ca};
  out.max_headers = static_cast<std::size_t>(*model.limits.headers);
  out.max_connections = std::max(out.max_connections, callers);
  return out;
}

}  // namespace gantry::app
