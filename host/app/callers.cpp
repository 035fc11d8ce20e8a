#include "app/callers.hpp"

#include "topology/address.hpp"
#include "topology/isolation.hpp"

namespace gantry::app {

known_callers::known_callers(const topology::topology& model, const std::string& here) {
  const auto& tls = model.hosts.at(here).tls;
  proof_needed_ = tls.given && !tls.ca->empty();
  for (const auto& [plugin, settings] : model.plugins) {
    for (const auto& host : settings.hosts) {
      // Processes of one host show each other a key, and come in elsewhere.
      if (topology::split_process(*host).host == topology::split_process(here).host) continue;
      auto& names = names_[plugin];
      names.insert(*host);
      // A certificate is for the address that others use, so this is the name it shows.
      if (const auto at = topology::parse_address(*model.hosts.at(*host).advertise)) names.insert(at->host);
    }
  }
}

known_callers::origin known_callers::of(std::string_view named, std::string_view peer) const {
  if (named.empty()) return {};
  const auto known = names_.find(named);
  if (known == names_.end()) return {};
  if (!proof_needed_) return {true, {}};
  if (peer.empty() || !known->second.contains(peer)) return {};
  return {true, known->first};
}

}  // namespace gantry::app
