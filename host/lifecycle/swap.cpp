// A swap, step by step: stage, check, load beside, migrate, start, hand over, flip, drain, probation, retire.
// Until the flip a failure leaves the present generation untouched; after it, it goes back.
#include <algorithm>
#include <cstddef>
#include <thread>
#include <utility>

#include "base/fault_point.hpp"
#include "gantry/abi/handover.h"
#include "jobs/job_board.hpp"
#include "lifecycle/generation_pointer.hpp"
#include "lifecycle/loading.hpp"
#include "lifecycle/old_copies.hpp"
#include "lifecycle/plugin_set.hpp"
#include "lifecycle/state_room.hpp"
#include "lifecycle/swap_check.hpp"
#include "loader/file_image.hpp"
#include "loader/inspect.hpp"
#include "observability/log.hpp"
#include "runtime/text.hpp"
#include "topology/isolation.hpp"

namespace gantry::lifecycle {
namespace {

using observability::log_error;
using observability::log_info;
using observability::log_warn;

constexpr std::chrono::milliseconds look_every{1};
constexpr std::chrono::milliseconds probe_every{20};
// In probation: so many failures at least, and so much more of them than before, count as an error burst.
constexpr std::uint64_t burst_least = 10;
constexpr double burst_factor = 5.0;
constexpr double burst_share_least = 0.05;
constexpr int sick_looks = 3;  // unhealthy so often in a row

// The names of the former one first and in its order: jobs and timers are known by their place.
template <typename Kind>
void align(std::vector<Kind>& next, const std::vector<Kind>& former) {
  for (std::size_t i = 0; i < former.size(); ++i) {
    const auto at = std::find_if(next.begin() + static_cast<std::ptrdiff_t>(i), next.end(),
                                 [&](const Kind& k) { return k.name == former[i].name; });
    if (at != next.end()) std::rotate(next.begin() + static_cast<std::ptrdiff_t>(i), at, at + 1);
  }
}

swap_work work_of(const runtime::probe& counts) {
  const auto read = [](const observability::counter* c) { return c == nullptr ? 0 : c->value(); };
  return {read(counts.requests),     read(counts.request_errors), read(counts.events_in), read(counts.events_dropped),
          read(counts.event_errors), read(counts.events_parked),  read(counts.jobs_done), read(counts.job_errors)};
}

swap_work operator-(const swap_work& a, const swap_work& b) {
  return {a.requests - b.requests,
          a.request_errors - b.request_errors,
          a.events - b.events,
          a.events_duplicate - b.events_duplicate,
          a.event_errors - b.event_errors,
          a.events_parked - b.events_parked,
          a.jobs - b.jobs,
          a.job_errors - b.job_errors};
}

std::uint64_t errors_of(const swap_work& w) { return w.request_errors + w.event_errors + w.job_errors; }
std::uint64_t total_of(const swap_work& w) { return w.requests + w.events + w.event_errors + w.jobs + w.job_errors; }

const gantry_handover_1* handover_of(const runtime::instance& i) {
  const auto* const plugin = i.plugin;
  if (plugin->struct_size < sizeof(gantry_instance) || plugin->capability == nullptr) return nullptr;
  const auto* const table = static_cast<const gantry_handover_1*>(plugin->capability(plugin->self, GANTRY_HANDOVER_1));
  return table != nullptr && table->struct_size >= offsetof(gantry_handover_1, state_size) ? table : nullptr;
}

// As far as the plugin says so.
std::uint64_t size_of_state(runtime::instance& of, const gantry_handover_1& table) {
  if (table.struct_size < sizeof(gantry_handover_1) || table.state_size == nullptr) return 0;
  std::uint64_t size = 0;
  const auto asked = of.guarded(
      [&] {
        size = table.state_size(of.plugin->self);
        return GANTRY_OK;
      },
      "state_size");
  return asked == GANTRY_OK ? size : 0;
}

error refused_by(const runtime::instance& who, const char* what, gantry_status status) {
  const auto text = runtime::last_failure();
  return {errc::internal, who.id() + " " + who.version() + ": " + what + " failed with " +
                              runtime::status_name(status) + (text.empty() ? "" : ": " + std::string(text))};
}

}  // namespace

class plugin_set::swap_run {
 public:
  swap_run(plugin_set& set, const swap_request& what, const std::function<void(const swap_step&)>& tell,
           const std::atomic<bool>& given_up)
      : set_(set), what_(what), tell_(tell), given_up_(given_up) {
    receipt_.plugin = what.plugin;
    receipt_.host = set.parts_.home;
    receipt_.begun_us = set.parts_.time->wall_us();
    last_us_ = set.parts_.time->steady_us();
  }

  swap_receipt run() {
    if (!take_place()) {
      // While another swap of it is under way the last receipt is that one's. A plan asks again and again.
      if (!receipt_.busy || what_.run.empty()) keep(!receipt_.busy);
      return receipt_;
    }
    const leaving done(*this);
    before_ = work_of(present().counts);
    // Should the process end in it, this is what is left to say so.
    receipt_.outcome = swap_outcome::begun;
    keep();
    receipt_.outcome = swap_outcome::refused;
    go();
    receipt_.work = work_of(present().counts) - before_;
    keep();
    remove_old_copies(*model().state, what_.plugin);
    return receipt_;
  }

 private:
  // The entry is nobody's again, however this one ends.
  class leaving {
   public:
    explicit leaving(swap_run& of) : of_(of) {}
    ~leaving() {
      const std::lock_guard lock(of_.set_.mutex_);
      of_.entry_->swapping = false;
    }
    leaving(const leaving&) = delete;
    leaving& operator=(const leaving&) = delete;

   private:
    swap_run& of_;
  };

  void keep(bool last = true) const {
    if (auto kept = keep_receipt(*set_.parts_.model->state, receipt_, last); !kept)
      log_warn("A swap's receipt could not be kept.", {{"plugin", what_.plugin}, {"error", kept.failure().text}});
  }
  runtime::instance& present() { return *entry_->running; }
  const topology::topology& model() const { return *model_; }
  const topology::plugin_settings& settings() const { return model_->plugins.at(what_.plugin); }

  // The plugin's entry is this swap's alone.
  bool take_place() {
    const std::lock_guard lock(set_.mutex_);
    for (auto& e : set_.entries_)
      if (e->id == what_.plugin) entry_ = e.get();
    if (entry_ == nullptr || !entry_->running || !entry_->running->writer)
      return refuse(what_.plugin + " does not run on host " + set_.parts_.host_name);
    receipt_.busy = entry_->swapping;
    if (entry_->swapping) return refuse("another swap of " + what_.plugin + " is under way");
    if (entry_->running->state() != runtime::phase::running)
      return refuse(what_.plugin + " is " + std::string(runtime::to_string(entry_->running->state())));
    model_ = what_.by ? what_.by : entry_->model;
    if (!model_->plugins.contains(what_.plugin)) return refuse(what_.plugin + " is not in the topology");
    entry_->swapping = true;
    receipt_.from_version = entry_->running->version();
    receipt_.from_generation = entry_->running->generation();
    receipt_.from_digest = entry_->file->digest();
    return true;
  }

  void go() {
    if (!staged() || !loaded() || !migrated() || !started()) {
      discard(next_);
      return;
    }
    if (!flipped()) {
      discard(next_);
      return;
    }
    // From here on former_ is the generation before, and the entry has the next one.
    drain(former_);
    if (!proven()) {
      fault_point("swap.go-back");
      go_back();
      return;
    }
    former_file instead;
    if (!what_.run.empty() && !what_.back) instead = {former_->file->copy(), former_->file->digest(), what_.run};
    if (auto moved = move_pointer(entry_->file->generation(), *entry_->file, will_be_preferred_, instead); !moved) {
      receipt_.reasons.push_back("the pointer could not be moved: " + moved.failure().text);
      go_back();
      return;
    }
    receipt_.outcome = swap_outcome::swapped;
    step("pointer");
    discard(former_);
    fault_point("swap.contract");
    contract();
    step("retire");
    log_info("A plugin was swapped.", {{"plugin", what_.plugin},
                                       {"from", receipt_.from_version},
                                       {"to", receipt_.to_version},
                                       {"generation", std::to_string(receipt_.to_generation)},
                                       {"lane_pause_us", std::to_string(receipt_.lane_pause_us)}});
  }

  bool refuse(std::string why) {
    receipt_.reasons.push_back(std::move(why));
    return false;
  }
  bool refuse(const error& why) { return refuse(why.text); }

  void step(std::string name) {
    fault_point("swap." + name);
    const auto now = set_.parts_.time->steady_us();
    receipt_.steps.push_back({std::move(name), now - std::exchange(last_us_, now)});
    tell_(receipt_.steps.back());
  }

  // Checks what can be known without running any of its code, and remembers what a restart would have to come back to.
  bool staged() {
    auto library = library_of(model(), what_.plugin);
    file_ = what_.reconfigure     ? entry_->file->copy()
            : !what_.file.empty() ? what_.file
            : library             ? *library
                                  : std::filesystem::path();
    if (file_.empty()) return refuse(library.failure());
    auto image = loader::read_image(file_);
    if (!image) return refuse(image.failure());
    auto facts = loader::read_elf(*image);
    if (!facts) return refuse(facts.failure());
    auto promised = loader::manifest_of(*image, *facts);
    if (!promised) return refuse(promised.failure());
    receipt_.to_version = promised->version;
    receipt_.to_digest = loader::digest_of(*image);
    if (!what_.digest.empty() && what_.digest != receipt_.to_digest)
      return refuse(file_.string() + ": found SHA-256 " + receipt_.to_digest + ", expected " + what_.digest +
                    ": the file has changed since that was planned");
    library_digest_ = receipt_.to_digest;
    if (library && *library != file_)
      if (auto other = loader::read_image(*library)) library_digest_ = loader::digest_of(*other);
    if (auto done = remember_library(); !done) return refuse(done.failure());
    if (receipt_.to_digest == receipt_.from_digest && !what_.reconfigure)
      return refuse(file_.string() + " is the file that runs already, generation " +
                    std::to_string(receipt_.from_generation));

    std::vector<const loader::manifest*> others;
    std::vector<std::string> topics;
    std::vector<std::string> plugins;
    for (const auto& [name, settings] : model().topics) topics.push_back(name);
    for (const auto& [name, settings] : model().plugins) plugins.push_back(name);
    const auto apart = manifests_apart();
    for (const auto& one : apart) others.push_back(&one);
    swap_verdict verdict;
    {
      const std::lock_guard lock(set_.mutex_);
      for (const auto& e : set_.entries_)
        if (e.get() != entry_ && e->file) others.push_back(&e->file->promised());
      verdict = compare_versions(entry_->file->promised(), *promised, others, topics, plugins, what_.back);
    }
    for (auto& why : verdict.never) receipt_.reasons.push_back(std::move(why));
    auto& careful = what_.force ? receipt_.overruled : receipt_.reasons;
    for (auto& why : verdict.careful) careful.push_back(std::move(why));
    if (!receipt_.reasons.empty()) return false;
    fault_point("swap.stage");
    // A kill from here on comes up in the present generation.
    if (auto done = move_pointer(entry_->file->generation(), *entry_->file, was_preferred_, was_instead_); !done)
      return refuse(done.failure());
    step("check");
    return true;
  }

  // Whether what runs was put in the library's place by somebody, and whether that will be said of the next one.
  result<void> remember_library() {
    const auto pointer = read_pointer(*model().state, what_.plugin, set_.parts_.home);
    if (!pointer) return pointer.failure();
    const bool known = *pointer && (*pointer)->digest == receipt_.from_digest;
    if (known) was_instead_ = {(*pointer)->former_copy, (*pointer)->former_digest, (*pointer)->former_run};
    if (what_.reconfigure) {
      library_digest_ = known ? (*pointer)->library_digest : receipt_.from_digest;
      was_preferred_ = will_be_preferred_ = known && (*pointer)->preferred;
    } else {
      was_preferred_ = known && (*pointer)->preferred && (*pointer)->library_digest == library_digest_;
      will_be_preferred_ = !what_.back && library_digest_ != receipt_.to_digest;
    }
    return {};
  }

  bool loaded() {
    const auto generation = next_generation();
    auto file = load_generation(model(), what_.plugin, file_, generation);
    if (!file) return refuse(file.failure());
    next_ = std::make_unique<entry>();
    next_->id = what_.plugin;
    next_->model = model_;
    next_->swapped = true;
    next_->file = std::move(*file);
    receipt_.to_generation = generation;
    if (next_->file->digest() != receipt_.to_digest)
      return refuse(file_.string() + " was written while it was looked at: found SHA-256 " + next_->file->digest() +
                    ", expected " + receipt_.to_digest);
    if (auto done = set_.introduce(*next_); !done) return refuse(done.failure());
    auto& i = *next_->running;
    // What the file before has died of says nothing about another one.
    i.around.deadly = receipt_.to_digest == receipt_.from_digest ? present().around.deadly : nullptr;
    align(i.declared.jobs, present().declared.jobs);
    align(i.declared.timers, present().declared.timers);
    i.database = present().database;
    i.writer = present().writer;
    i.jobs = present().jobs;
    step("load");
    return true;
  }

  // Numbers are not used again while this host runs, also not those of swaps that were refused.
  std::uint64_t next_generation() {
    const std::lock_guard lock(set_.mutex_);
    auto& last = set_.last_generation_[what_.plugin];
    last = std::max<std::uint64_t>(last, entry_->file->generation()) + 1;
    return last;
  }

  bool migrated() {
    auto& i = *next_->running;
    auto done = i.database->migrate(i.declared.migrations, {.contract = false, .ahead = true});
    if (!done) return refuse(done.failure());
    for (const auto& m : i.declared.migrations)
      if (m.number > done->to && !store::is_contract(m))
        return refuse(
            "migration " + std::to_string(m.number) + " (" + m.name +
            ") adds to what a contract migration before it takes away,"
            " and that waits until the former version has gone: bring them in two versions, or start the host anew");
    step("migrate");
    return true;
  }

  bool started() {
    auto running = next_->running;
    if (auto done = set_.bounded(*next_, "start", [running] { return running->start(); }); !done)
      return refuse(done.failure());
    running->state(runtime::phase::running);
    // What ails the plugin already, a full parking lot say, may be what the swap is to mend.
    was_well_ = static_cast<bool>(present().health());
    if (auto well = running->health(); !well && was_well_) return refuse("it is not healthy: " + well.failure().text);
    next_->watching = std::make_unique<runtime::observers>(*running, *set_.parts_.events, *set_.parts_.lanes);
    step("start");
    return true;
  }

  // The flip itself: lane and jobs between two batches, routes by one pointer, and in between what the plugin keeps in
  // memory.
  bool flipped() {
    // From here on what happens on the bus is kept for its observers.
    if (auto joined = next_->watching->join(); !joined) return refuse(joined.failure());
    auto group = topology::group_of(model(), what_.plugin);
    auto* const from = handover_of(present());
    auto* const to = handover_of(*next_->running);
    const bool with_state = from != nullptr && to != nullptr;
    const state_room room(with_state ? size_of_state(present(), *from) : 0);
    const auto begun = set_.parts_.time->steady_us();
    if (with_state && !close_doors()) {
      open_doors(begun);
      return refuse("its requests or jobs did not end within " + std::to_string(settings().swap.drain->count() / 1000) +
                    " ms, so its state can't be handed over");
    }
    auto done = present().writer->hand_over(
        *next_->running, group,
        [&]() -> result<void> {
          fault_point("swap.pause");
          return with_state ? carry_state(*from, *to, room) : result<void>();
        },
        receipt_.lane_pause_us);
    if (!done) {
      if (with_state) open_doors(begun);
      return refuse(done.failure());
    }
    exchange_places();
    if (with_state) open_doors(begun);
    entry_->watching->begin();
    step("flip");
    return true;
  }

  // The entry takes next_'s place and next_ becomes former_; then the routes change.
  void exchange_places() {
    {
      const std::lock_guard lock(set_.mutex_);
      former_ = std::move(next_);
      // A swap by hand goes by whatever topology was taken up meanwhile.
      if (what_.by) std::swap(former_->model, entry_->model);
      std::swap(former_->begun, entry_->begun);
      std::swap(former_->file, entry_->file);
      std::swap(former_->running, entry_->running);
      std::swap(former_->watching, entry_->watching);
      std::swap(former_->swapped, entry_->swapped);
    }
    set_.publish_routes();
    set_.show_figures(*entry_);
    if (former_->watching) former_->watching->close();
  }

  bool close_doors() {
    auto& router = *set_.parts_.router;
    const auto table = router.hold(what_.plugin);
    present().jobs->hold(true);
    return wait_until([&] { return table.expired() && present().in_flight() == 0; });
  }

  void open_doors(std::int64_t begun_us) {
    entry_->running->jobs->hold(false);
    receipt_.held_requests += set_.parts_.router->release();
    receipt_.route_pause_us = std::max(receipt_.route_pause_us, set_.parts_.time->steady_us() - begun_us);
  }

  result<void> carry_state(const gantry_handover_1& from, const gantry_handover_1& to, const state_room& room) {
    std::string state;
    state.reserve(room.bytes());
    const auto sink = [](void* at, gantry_str piece) -> gantry_status {
      static_cast<std::string*>(at)->append(piece.ptr, piece.len);
      return GANTRY_OK;
    };
    auto& former = present();
    auto& next = *next_->running;
    gantry_status status = GANTRY_UNSUPPORTED;
    std::uint32_t format = 0;
    // Each writes its own format and the one before; each reads its own and the one before.
    for (const auto wanted : {std::min(from.format, to.format), std::min(from.format, to.format - 1)}) {
      if (wanted == 0 || status != GANTRY_UNSUPPORTED) continue;
      state.clear();
      format = wanted;
      runtime::fail(GANTRY_OK, {});
      status =
          former.guarded([&] { return from.export_state(former.plugin->self, format, sink, &state); }, "export_state");
    }
    if (status != GANTRY_OK) return refused_by(former, "export of its state", status);
    runtime::fail(GANTRY_OK, {});
    status =
        next.guarded([&] { return to.import_state(next.plugin->self, format, runtime::str(state)); }, "import_state");
    if (status != GANTRY_OK) return refused_by(next, "import of the state", status);
    receipt_.state_bytes = state.size();
    receipt_.state_format = format;
    return {};
  }

  // Waits for what the generation has begun. What overruns its deadline goes on, and the generation stays for it.
  void drain(const std::unique_ptr<entry>& which) {
    const auto& running = which->running;
    if (!wait_until([&] { return running.use_count() == 1 && running->in_flight() == 0; }))
      log_warn("Work of a replaced generation does not end.", {{"plugin", what_.plugin},
                                                               {"generation", std::to_string(running->generation())},
                                                               {"requests", std::to_string(running->in_flight())}});
    step("drain");
  }

  template <typename Done>
  bool wait_until(Done done) {
    const auto until = std::chrono::steady_clock::now() + *settings().swap.drain;
    while (!done()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(look_every);
    }
    return true;
  }

  // Probation: false when the new generation fails more than the one before, is not healthy, or the host ends.
  bool proven() {
    const auto span = what_.probation.count() >= 0 ? what_.probation : *settings().swap.probation;
    const auto until = std::chrono::steady_clock::now() + span;
    const auto base = work_of(present().counts);
    const double share_before =
        total_of(before_) == 0 ? 0.0 : static_cast<double>(errors_of(before_)) / static_cast<double>(total_of(before_));
    int sick = 0;
    for (;;) {
      const auto since = work_of(present().counts) - base;
      const auto failures = errors_of(since);
      const double share =
          total_of(since) == 0 ? 0.0 : static_cast<double>(failures) / static_cast<double>(total_of(since));
      if (failures >= burst_least && share > std::max(burst_share_least, share_before * burst_factor))
        return refuse("in probation " + std::to_string(failures) + " of " + std::to_string(total_of(since)) +
                      " requests, events and jobs failed, the first with: " + present().failures.first());
      const auto well = present().health();
      // A store that can't be reached is no doing of the newer code.
      sick = well || !was_well_ || !present().writer->count().away.empty() ? 0 : sick + 1;
      if (sick >= sick_looks) return refuse("in probation it was not healthy: " + well.failure().text);
      // What takes a change back ends whole: half of one is worse than a host that takes a little longer.
      if (given_up_.load() && !what_.back) return refuse("the host stops");
      const auto now = std::chrono::steady_clock::now();
      if (now >= until) break;
      std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(probe_every, until - now));
    }
    step("probation");
    return true;
  }

  void go_back() {
    receipt_.outcome = swap_outcome::flipped_back;
    next_ = std::move(former_);
    const auto pause = receipt_.lane_pause_us;
    next_->running->state(runtime::phase::running);
    next_->watching = std::make_unique<runtime::observers>(*next_->running, *set_.parts_.events, *set_.parts_.lanes);
    if (!flipped()) {
      // Neither may be taken away: the newer one goes on, and a restart comes up with the former one.
      receipt_.outcome = swap_outcome::stuck;
      receipt_.resident.push_back("generation " + std::to_string(next_->file->generation()) +
                                  ": it was to come back and could not");
      log_error("A swap could not be taken back.", {{"plugin", what_.plugin}, {"error", receipt_.reasons.back()}});
      keep_for_ever(std::move(next_));
      return;
    }
    receipt_.lane_pause_us = std::max(pause, receipt_.lane_pause_us);
    drain(former_);
    discard(former_);
    fault_point("swap.back");
    log_warn("A swap was taken back.", {{"plugin", what_.plugin},
                                        {"from", receipt_.to_version},
                                        {"to", receipt_.from_version},
                                        {"reason", receipt_.reasons.front()}});
  }

  // Ends a generation that has no work, and gives its file back to the system.
  void discard(std::unique_ptr<entry>& which) {
    if (!which) return;
    const auto stays = [&](std::string why) {
      receipt_.resident.push_back("generation " + std::to_string(which->file->generation()) + ": " + why);
      log_warn("A replaced generation stays in memory.",
               {{"plugin", what_.plugin}, {"reason", receipt_.resident.back()}});
      keep_for_ever(std::move(which));
    };
    if (which->abandoned) return stays("a thread is in its code and does not come back");
    if (which->running) {
      which->watching.reset();
      if (which->running.use_count() != 1 || which->running->in_flight() != 0)
        return stays(std::to_string(which->running->in_flight()) + " requests, calls or jobs of it have not ended");
      const bool ran = which->running->state() == runtime::phase::running;
      which->running->state(runtime::phase::stopping);
      if (ran) {
        auto running = which->running;
        const auto ended = set_.bounded(*which, "stop", [running]() -> result<void> {
          running->stop();
          return {};
        });
        if (!ended) return stays(ended.failure().text);
      }
      which->running.reset();
    }
    if (which->file) {
      const auto report = which->file->unload();
      if (report.mapped)
        receipt_.resident.push_back("generation " + std::to_string(which->file->generation()) + ": " + report.why);
    }
    which.reset();
  }

  // Of the host's other plugins that run in processes of their own, or in the host's own one when this runs apart.
  std::vector<loader::manifest> manifests_apart() const {
    std::vector<loader::manifest> out;
    for (const auto& [id, settings] : model().plugins) {
      const bool elsewhere = std::ranges::any_of(settings.hosts, [&](const auto& host) {
        return *host != set_.parts_.host_name && topology::split_process(*host).host == set_.parts_.home;
      });
      if (!elsewhere || id == what_.plugin) continue;
      auto found = manifest_to_start(model(), id, set_.parts_.home);
      if (found)
        out.push_back(std::move(*found));
      else
        log_warn("A swap is not checked against a plugin whose manifest can't be read.",
                 {{"plugin", what_.plugin}, {"other", id}, {"error", found.failure().text}});
    }
    return out;
  }

  // What only the former version needed goes, once it is not there any more: here, and on the other hosts of the store.
  void contract() {
    auto& i = present();
    const auto others = i.writer->settle_version();
    if (!others || !others->empty()) {
      std::string why = others ? "other hosts run another version:" : others.failure().text;
      if (others)
        for (const auto& host : *others) why.append(" ").append(host);
      if (std::any_of(i.declared.migrations.begin(), i.declared.migrations.end(), store::is_contract))
        log_info("Contract migrations wait.", {{"plugin", what_.plugin}, {"reason", why}});
      return;
    }
    if (auto done = i.database->migrate(i.declared.migrations, {.contract = true, .ahead = true}); !done)
      log_warn("Contract migrations could not run; they are due at the next start.",
               {{"plugin", what_.plugin}, {"error", done.failure().text}});
  }

  // What a file has taken the place of: see generation_pointer.
  struct former_file {
    std::filesystem::path copy{};
    std::string digest{};
    std::string run{};
  };

  result<void> move_pointer(std::uint64_t generation, const loader::module& file, bool preferred,
                            const former_file& instead) {
    return write_pointer(*model().state, what_.plugin, set_.parts_.home,
                         {generation, file.copy(), file.digest(), library_digest_, preferred, instead.copy,
                          instead.digest, instead.run});
  }

  plugin_set& set_;
  const swap_request what_;
  const std::function<void(const swap_step&)>& tell_;
  const std::atomic<bool>& given_up_;
  shared_topology model_;  // that the next generation goes by
  former_file was_instead_;
  bool was_preferred_ = false;
  bool will_be_preferred_ = false;
  swap_receipt receipt_;
  entry* entry_ = nullptr;
  std::unique_ptr<entry> next_;
  std::unique_ptr<entry> former_;
  std::filesystem::path file_;
  std::string library_digest_;
  swap_work before_;
  std::int64_t last_us_ = 0;
  bool was_well_ = true;
};

swap_receipt plugin_set::swap(const swap_request& what, const std::function<void(const swap_step&)>& tell,
                              const std::atomic<bool>& given_up) {
  // The dispatcher holds the requests of one plugin at a time.
  const std::unique_lock one(swaps_, std::try_to_lock);
  if (!one) {
    swap_receipt refused;
    refused.plugin = what.plugin;
    refused.host = parts_.home;
    refused.begun_us = parts_.time->wall_us();
    refused.busy = true;
    refused.reasons.emplace_back("another swap is under way on this host");
    if (!what.run.empty()) return refused;
    if (auto kept = keep_receipt(*parts_.model->state, refused, false); !kept)
      log_warn("A swap's receipt could not be kept.", {{"plugin", what.plugin}, {"error", kept.failure().text}});
    return refused;
  }
  auto receipt = swap_run(*this, what, tell, given_up).run();
  // Of other code, and for good as far as is known: what is taken back, or only configured, is what died before.
  const bool is_another = receipt.to_digest != receipt.from_digest && !what.back;
  if (receipt.outcome == swap_outcome::swapped && is_another && parts_.swapped) parts_.swapped(what.plugin);
  return receipt;
}

}  // namespace gantry::lifecycle
