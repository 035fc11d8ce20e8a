#include "bus/local/recovery.hpp"

#include <algorithm>
#include <map>

namespace gantry::bus::local {
namespace {

// So much of the newest sealed log is checked at every start; the rest when it is read.
constexpr std::uint64_t checked_at_start = 64U << 20;

class recovery {
 public:
  recovery(file_system& files, const std::filesystem::path& directory) : files_(files), directory_(directory) {}

  result<recovered_journal> run() {
    if (auto listed = list(); !listed) return std::move(listed).failure();
    for (std::size_t i = 0; i < out_.segments.size(); ++i)
      if (auto done = take(i); !done) return std::move(done).failure();
    if (auto checked = check_newest(); !checked) return std::move(checked).failure();
    if (auto state = find_state(); !state) return std::move(state).failure();
    return std::move(out_);
  }

 private:
  struct scanned {
    std::uint64_t end = 0;
    std::map<partition_id, recovered_section> sections;
    journal_state state;
    std::uint64_t state_at = 0;
    bool has_state = false;
  };

  result<void> list() {
    auto listed = files_.list(directory_);
    if (!listed) return std::move(listed).failure();
    for (const auto& entry : *listed) {
      if (const auto start = start_of(entry.name)) {
        recovered_segment part;
        part.where = std::make_shared<segment>(files_, directory_, *start, nullptr);
        part.size = entry.size;
        out_.segments.push_back(std::move(part));
      } else if (entry.name.ends_with(".tmp")) {
        if (auto gone = files_.unlink(directory_ / entry.name); !gone) return gone;
      }
    }
    std::sort(out_.segments.begin(), out_.segments.end(),
              [](const auto& a, const auto& b) { return a.where->start() < b.where->start(); });
    return {};
  }

  bool is_last(std::size_t i) const { return i + 1 == out_.segments.size(); }

  result<void> take(std::size_t i) {
    auto& part = out_.segments[i];
    if (i > 0 && out_.end != part.where->start()) return missing(out_.end, part.where->start());
    // Blocks are written whole, and the cut of the last one may not have outlived a power cut.
    if (auto index = read_index(files_, *part.where);
        index && part.size >= index->log_size && part.size - index->log_size < block_bytes) {
      if (auto cut = end_at(part, index->log_size); !cut) return cut;
      part.indexed = true;
      part.state_at = index->state_at;
      out_.end = part.where->start() + part.size;
      for (const auto& summary : index->sections) part.sections.push_back({summary, nullptr});
      return {};
    }
    auto log = part.where->log();
    if (!log) return std::move(log).failure();
    auto found = read(part);
    if (!found) return std::move(found).failure();
    const std::uint64_t expected = is_last(i) ? part.size : out_.segments[i + 1].where->start() - part.where->start();
    if (found->end != expected || found->end == 0)
      if (auto cut = cut_tail(i, found->end); !cut) return cut;
    if (found->end == 0) return {};  // the cut took the whole segment
    if (auto cut = end_at(part, found->end); !cut) return cut;
    if (auto synced = (*log)->fdatasync(); !synced) return synced;
    out_.end = part.where->start() + found->end;
    part.state_at = found->state_at;
    for (auto& [where, section] : found->sections) part.sections.push_back(std::move(section));
    newest_ = std::move(*found);
    newest_of_ = part.where.get();
    return {};
  }

  // Takes away what stands behind the last frame.
  static result<void> end_at(recovered_segment& part, std::uint64_t size) {
    if (part.size == size) return {};
    auto log = part.where->log();
    if (!log) return std::move(log).failure();
    part.size = size;
    return (*log)->truncate(size);
  }

  // Reads a segment's frames up to the first that isn't sound.
  result<scanned> read(const recovered_segment& part) {
    auto log = part.where->log();
    if (!log) return std::move(log).failure();
    scanned out;
    auto end = scan(**log, part.where->start(), part.size,
                    [&](const frame_header& header, std::uint64_t at, std::string_view payload) -> result<bool> {
                      if (at == 0 && header.kind != frame_kind::state) return false;
                      return apply(header, at, payload, out);
                    });
    if (!end) return std::move(end).failure();
    out.end = *end;
    return out;
  }

  static result<bool> apply(const frame_header& header, std::uint64_t at, std::string_view payload, scanned& out) {
    if (header.kind == frame_kind::state) {
      auto state = decode_state(payload);
      if (!state) return false;
      out.state = std::move(*state);
      out.state_at = at;
      out.has_state = true;
    } else if (header.kind == frame_kind::records) {
      if (header.topic >= out.state.topics.size()) return false;
      auto& partitions = out.state.topics[header.topic].partitions;
      if (header.partition >= partitions.size()) return false;
      const partition_id where{header.topic, header.partition};
      const frame_entry frame{header.base_offset, header.ordinal, at, header.newest_us, header.count, header.length};
      auto& section = out.sections[where];
      if (!section.frames) section.frames = std::make_shared<frame_list>();
      section.summary.where = where;
      section.summary.add(frame, header.appended_us);
      section.frames->push_back(frame);
      auto& partition = partitions[header.partition];
      partition.next = partition.end = frame.end();
      partition.ordinal = header.ordinal + header.count;
      out.state.clean = false;
    }
    return true;
  }

  // The bytes from `end` of segment i on are no frames. If any later frame says that they were synced, they are
  // damage; else they are a torn tail, and so is all that follows.
  result<void> cut_tail(std::size_t i, std::uint64_t end) {
    const auto& part = out_.segments[i];
    const std::uint64_t position = part.where->start() + end;
    std::uint64_t synced = 0;
    for (std::size_t k = i; k < out_.segments.size(); ++k) {
      auto log = out_.segments[k].where->log();
      if (!log) return std::move(log).failure();
      auto found = synced_behind(**log, out_.segments[k].where->start(), out_.segments[k].size, k == i ? end : 0);
      if (!found) return std::move(found).failure();
      synced = std::max(synced, *found);
    }
    if (synced > position || (i == 0 && end == 0 && part.where->start() != 0))
      return damage(part, end, "though the journal was synced up to position " + std::to_string(synced));
    const std::size_t kept = end == 0 ? i : i + 1;
    while (out_.segments.size() > kept) {
      const auto& gone = *out_.segments.back().where;
      if (auto removed = files_.unlink(gone.index_path()); !removed && removed.failure().code != errc::not_found)
        return removed;
      if (auto removed = files_.unlink(gone.path()); !removed) return removed;
      out_.segments.pop_back();
    }
    out_.end = position;
    return files_.sync_directory(directory_);
  }

  result<void> check_newest() {
    std::uint64_t checked = 0;
    for (auto part = out_.segments.rbegin(); part != out_.segments.rend(); ++part) {
      checked += part->size;
      if (checked > checked_at_start) return {};
      if (!part->indexed) continue;
      auto found = read(*part);
      if (!found) return std::move(found).failure();
      if (found->end != part->size) return damage(*part, found->end, "though this segment was sealed");
      if (part == out_.segments.rbegin()) {
        newest_ = std::move(*found);
        newest_of_ = part->where.get();
      }
    }
    return {};
  }

  result<void> find_state() {
    if (out_.segments.empty()) return {};
    auto& last = out_.segments.back();
    if (newest_of_ != last.where.get()) {
      // Sealed and too large to check whole: after a clean close its last frame tells all.
      auto clean = closing_state(last);
      auto found = clean ? std::move(clean) : read(last);
      if (!found) return std::move(found).failure();
      newest_ = std::move(*found);
    }
    if (!newest_.has_state) return damage(last, 0, "though other segments follow or preceded it");
    out_.state = std::move(newest_.state);
    if (!out_.state.clean)
      for (auto& topic : out_.state.topics)
        for (auto& partition : topic.partitions) partition.next = std::max(partition.next, partition.reserved);
    return {};
  }

  static result<scanned> closing_state(const recovered_segment& part) {
    const error none{errc::not_found, "the last frame is no closing state"};
    auto log = part.where->log();
    if (!log) return std::move(log).failure();
    if (part.state_at >= part.size) return none;
    std::string bytes(part.size - part.state_at, '\0');
    if (auto got = read_all(**log, bytes.data(), bytes.size(), part.state_at); !got) return std::move(got).failure();
    const auto header = header_at(bytes, part.where->start() + part.state_at);
    if (!header || padded(header->length) != bytes.size()) return none;
    auto state = decode_state(std::string_view(bytes).substr(sizeof(frame_header)));
    if (!state || !state->clean) return none;
    scanned out;
    out.end = part.size;
    out.state = std::move(*state);
    out.state_at = part.state_at;
    out.has_state = true;
    return out;
  }

  static error damage(const recovered_segment& part, std::uint64_t at, const std::string& why) {
    return {errc::corrupt, "the journal is damaged: " + part.where->path().string() + " has no sound frame at byte " +
                               std::to_string(at) + " (position " + std::to_string(part.where->start() + at) + "), " +
                               why +
                               ". Restore this directory from a backup, or move it away and start with a new one"};
  }

  error missing(std::uint64_t from, std::uint64_t to) const {
    return {errc::corrupt, "the journal is damaged: no file in " + directory_.string() + " holds the positions from " +
                               std::to_string(from) + " to " + std::to_string(to) + ", " + segment_name(from) +
                               " was expected. Restore this directory from a backup"};
  }

  file_system& files_;
  const std::filesystem::path& directory_;
  recovered_journal out_;
  scanned newest_;  // of the segment that was read last
  const segment* newest_of_ = nullptr;
};

}  // namespace

result<recovered_journal> recover(file_system& files, const std::filesystem::path& directory) {
  return recovery(files, directory).run();
}

}  // namespace gantry::bus::local
