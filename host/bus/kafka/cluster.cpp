#include "bus/kafka/cluster.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "bus/kafka/topic_admin.hpp"

namespace gantry::bus::kafka {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds look_wait{1500};
constexpr milliseconds pause_when_well{5000};
constexpr milliseconds pause_when_unwell{300};
constexpr milliseconds between_questions{50};

// At least a moment, so that a call that comes late still asks.
milliseconds left_until(std::chrono::steady_clock::time_point deadline) {
  return std::max(milliseconds{100},
                  std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now()));
}

error not_reached(const kafka_bus_options& options, const error& why) {
  if (why.code != errc::timeout && why.code != errc::unavailable) return why;
  return {errc::unavailable, why.text + "; the brokers are " + options.brokers};
}

}  // namespace

result<std::unique_ptr<cluster>> cluster::open(const kafka_bus_options& options) {
  if (options.brokers.empty()) return error{errc::invalid, "bus.brokers is empty, expected host:port, comma separated"};
  if (auto good = check_properties(options.properties); !good) return std::move(good).failure();
  if (auto good = check_client(RD_KAFKA_PRODUCER, producer_properties(options)); !good)
    return std::move(good).failure();
  if (auto good = check_client(RD_KAFKA_CONSUMER, consumer_properties(options, "group")); !good)
    return std::move(good).failure();
  std::unique_ptr<cluster> out(new cluster(options));
  // A consumer's handle: a producer's would have the broker make topics that it asks for.
  auto made = make_client(RD_KAFKA_CONSUMER, cluster_properties(options), out->context_);
  if (!made) return std::move(made).failure();
  out->client_ = std::move(*made);
  out->events_.reset(rd_kafka_queue_get_main(out->client_.get()));
  out->watcher_ = std::thread([&all = *out] { all.watch(); });
  return out;
}

cluster::cluster(const kafka_bus_options& options) : options_(options) {
  context_.name = "cluster";
  context_.options = &options_;
  context_.on_error = [this](rd_kafka_resp_err_t, std::string_view, bool) { doubted_ = true; };
  unwell_ = "no broker of " + options.brokers + " has answered yet";
}

cluster::~cluster() {
  if (!watcher_.joinable()) return;
  stopping_ = true;
  rd_kafka_queue_yield(events_.get());
  watcher_.join();
}

std::string_view cluster::id() const {
  const std::shared_lock lock(topics_mutex_);
  return id_;
}

void cluster::watch() {
  auto next = std::chrono::steady_clock::now();
  while (!stopping_) {
    const auto now = std::chrono::steady_clock::now();
    if (doubted_.exchange(false) || now >= next) {
      answers();
      next = std::chrono::steady_clock::now() + (well_ ? pause_when_well : pause_when_unwell);
    }
    const auto wait = std::chrono::duration_cast<milliseconds>(next - std::chrono::steady_clock::now());
    rd_kafka_poll(client_.get(), static_cast<int>(std::max(milliseconds{1}, wait).count()));
  }
}

bool cluster::answers() {
  const rd_kafka_metadata_t* found = nullptr;
  const auto code = rd_kafka_metadata(client_.get(), 0, nullptr, &found, static_cast<int>(look_wait.count()));
  if (found != nullptr) rd_kafka_metadata_destroy(found);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
    set_health({});
  else
    set_health("no broker of " + options_.brokers + " answers: " + rd_kafka_err2str(code));
  return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void cluster::set_health(std::string why) {
  const std::lock_guard lock(health_mutex_);
  unwell_ = std::move(why);
  well_ = unwell_.empty();
}

result<void> cluster::health() const {
  if (well_.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock(health_mutex_);
  if (unwell_.empty()) return {};
  return error{errc::unavailable, unwell_};
}

void cluster::doubt() {
  doubted_ = true;
  rd_kafka_queue_yield(events_.get());
}

result<topic_id> cluster::open_topic(const topic_spec& spec) {
  if (spec.name.empty() || spec.partitions == 0)
    return error{errc::invalid, "topic " + spec.name + " with " + std::to_string(spec.partitions) +
                                    " partitions: expected a name and at least one partition"};
  const std::lock_guard one_at_a_time(opening_);
  if (auto there = make_if_missing(spec); !there) return not_reached(options_, there.failure());
  if (auto good = check_limits(spec); !good) return not_reached(options_, good.failure());
  if (auto known = learn_id(options_.answer_wait); !known) return not_reached(options_, known.failure());
  return enlist(spec);
}

result<void> cluster::make_if_missing(const topic_spec& spec) {
  const auto deadline = std::chrono::steady_clock::now() + options_.answer_wait;
  bool made = false;
  while (true) {
    auto found = find_topic(client_.get(), spec.name, left_until(deadline));
    if (!found) return std::move(found).failure();
    if (found->partitions != 0 && found->partitions != spec.partitions)
      return error{errc::conflict, "topic " + spec.name + " has " + std::to_string(found->partitions) +
                                       " partitions, this topology says " + std::to_string(spec.partitions) +
                                       ": a live topic's keys would change places; say " +
                                       std::to_string(found->partitions) + ", or move to a new topic"};
    if (found->led) {
      if (found->replicas < 3 && !std::exchange(told_of_replicas_, true))
        log(options_, 3,
            "topic " + spec.name + " has " + std::to_string(found->replicas) +
                " replica(s), and others may too: durability `power` wants 3, and min.insync.replicas 2");
      return {};
    }
    if (std::chrono::steady_clock::now() >= deadline)
      return error{errc::unavailable, "topic " + spec.name + " has a partition without a leader"};
    if (found->partitions == 0 && !made) {
      if (auto done = make_topic(client_.get(), spec, options_, left_until(deadline)); !done) return done;
      made = true;
      continue;
    }
    // What was made is on its way to this broker.
    rd_kafka_poll(client_.get(), 20);
  }
}

result<void> cluster::check_limits(const topic_spec& spec) const {
  const auto found = largest_batch(client_.get(), spec.name, options_.answer_wait);
  if (!found) return found.failure();
  const auto needed = needed_batch(spec, options_);
  if (!*found || **found >= needed) return {};
  return error{errc::conflict, "topic " + spec.name + " takes batches of " + std::to_string(**found) +
                                   " bytes (max.message.bytes), a max_message of " + std::to_string(spec.max_message) +
                                   " needs " + std::to_string(needed) +
                                   ": raise the topic's limit, or lower max_message and the bus property batch.size"};
}

result<void> cluster::learn_id(milliseconds wait) {
  if (!id().empty()) return {};
  char* const found = rd_kafka_clusterid(client_.get(), static_cast<int>(wait.count()));
  if (found == nullptr) return error{errc::unavailable, "no broker has told the cluster's id"};
  {
    const std::unique_lock lock(topics_mutex_);
    id_ = found;
  }
  rd_kafka_mem_free(client_.get(), found);
  set_health({});
  return {};
}

topic_id cluster::enlist(const topic_spec& spec) {
  const std::unique_lock lock(topics_mutex_);
  topic_id id = 0;
  while (id < topics_.size() && topics_[id].specs.back()->name != spec.name) ++id;
  if (id == topics_.size()) topics_.emplace_back();
  topics_[id].specs.push_back(std::make_unique<const topic_spec>(spec));
  return id;
}

const topic_spec& cluster::topic(topic_id id) const {
  const std::shared_lock lock(topics_mutex_);
  return *topics_[id].specs.back();
}

std::vector<topic_spec> cluster::topics() const {
  const std::shared_lock lock(topics_mutex_);
  std::vector<topic_spec> out;
  for (const auto& t : topics_) out.push_back(*t.specs.back());
  return out;
}

bool cluster::has(partition_id where) const {
  const std::shared_lock lock(topics_mutex_);
  return where.topic < topics_.size() && where.partition < topics_[where.topic].specs.back()->partitions;
}

result<std::int64_t> cluster::find_offset(partition_id where, std::int64_t time_ms) const {
  // A lane that asks must not wait for brokers that are known to be away.
  if (auto well = health(); !well) return std::move(well).failure();
  const std::string& name = topic(where.topic).name;
  const auto deadline = std::chrono::steady_clock::now() + options_.answer_wait;
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (;; std::this_thread::sleep_for(between_questions)) {
    const partition_list list(rd_kafka_topic_partition_list_new(1));
    auto* one = rd_kafka_topic_partition_list_add(list.get(), name.c_str(), static_cast<std::int32_t>(where.partition));
    one->offset = time_ms;
    // Not rd_kafka_query_watermark_offsets: when a broker goes, that waits longer than it is told.
    code = rd_kafka_offsets_for_times(client_.get(), list.get(), static_cast<int>(left_until(deadline).count()));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = one->err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return one->offset;
    // A partition whose leader changes has one again in a moment, and the client has asked for it by then.
    const bool leader_changes = code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
                                code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
                                code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    if (!leader_changes || std::chrono::steady_clock::now() >= deadline) break;
  }
  return not_reached(options_, {kind_of(code), "asking for offsets of " + name + "/" + std::to_string(where.partition) +
                                                   ": " + rd_kafka_err2str(code)});
}

result<log_range> cluster::range(partition_id where) const {
  const auto start = find_offset(where, RD_KAFKA_OFFSET_BEGINNING);
  if (!start) return start.failure();
  const auto end = find_offset(where, RD_KAFKA_OFFSET_END);
  if (!end) return end.failure();
  return log_range{static_cast<std::uint64_t>(*start), static_cast<std::uint64_t>(std::max(*start, *end))};
}

result<std::uint64_t> cluster::offset_at(partition_id where, std::int64_t time_us) const {
  const auto found = find_offset(where, std::max<std::int64_t>(0, time_us / 1000));
  if (!found) return found.failure();
  if (*found >= 0) return static_cast<std::uint64_t>(*found);
  auto all = range(where);
  if (!all) return std::move(all).failure();
  return all->end;
}

}  // namespace gantry::bus::kafka
