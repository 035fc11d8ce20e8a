// The running hosts of a topology, as the executor of a plan.
// Thread: one.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "cli/planning.hpp"
#include "plan/apply.hpp"

namespace gantry::cli {

struct remote_options {
  std::string run;         // names this plan to the hosts, as no other one
  bool force = false;      // also what breaks something
  long probation_ms = -1;  // of swaps; negative: the topology's
  // As ask_host().
  std::function<result<std::string>(const remote_host& host, const std::string& method, const std::string& target,
                                    const std::string& body)>
      ask;
  std::function<void()> wait;  // a little while, before a host is asked again
  const clock* time = nullptr;
};

class remote_hands {
 public:
  // `asked` outlives it, and comes to know where hosts are that have started anew at another address.
  remote_hands(planning& asked, remote_options options, std::function<void(const std::string&)> tell);

  // For plan::carry_out(); good for the life of this object.
  plan::executor executor();

 private:
  // A step on its way to a host.
  struct order {
    std::string kind;
    std::string subject;
    std::string digest{};
    bool back = false;
    bool swaps = false;
  };
  // Plugins of a host that do not run as they should.
  struct unwell {
    std::set<std::string> failed;
    std::set<std::string> away;  // a process of their own that does not answer, now
  };

  result<void> perform(const plan::step& s, bool back);
  result<void> adopt(bool back);
  result<void> adopt_on(planned_host& host, bool back);
  result<void> carry_out(planned_host& host, const order& what);
  result<std::string> begin(const planned_host& host, const order& what);
  result<void> wait_for(const planned_host& host, const std::string& id, const std::string& subject);
  result<void> restart(planned_host& host, bool back);
  result<void> comes_back(planned_host& host, std::uint64_t former, const unwell& before, const std::string& text);
  result<std::string> find(planned_host& host) const;
  result<unwell> unwell_on(const planned_host& host) const;
  void tell_receipt(const std::string& plugin, const std::string& body) const;
  bool over(std::int64_t until_us) const { return options_.time->steady_us() >= until_us; }

  planning& asked_;
  std::map<std::string, unwell> unwell_before_;  // by host: before the restart that may be taken back
  const remote_options options_;
  const std::function<void(const std::string&)> tell_;
};

}  // namespace gantry::cli
