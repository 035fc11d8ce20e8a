// Which requests are calls of plugins on other hosts, and which plugin is believed to call.
// Owned by host_process. Constant; thread: any.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "topology/topology.hpp"

namespace gantry::app {

class known_callers {
 public:
  // What other hosts of the topology may send to host `here`.
  known_callers(const topology::topology& model, const std::string& here);

  struct origin {
    bool is_call = false;     // it goes to the workers that are kept for calls
    std::string_view caller;  // the plugin, proven; empty: not proven, or no call
  };

  // `named`: the header gantry-caller. `peer`: the name in the client's verified certificate.
  //
  // Where clients must show certificates, a request is a call only if the certificate is that of a host which runs
  // the named plugin; the plugin is then proven. Elsewhere the header is taken as a hint which workers to use, if
  // it names a plugin of another host, and proves nothing.
  origin of(std::string_view named, std::string_view peer) const;

 private:
  // The names under which the hosts that run it show themselves, by plugin. Only of plugins that other hosts run.
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> names_;
  bool proof_needed_ = false;
};

}  // namespace gantry::app
