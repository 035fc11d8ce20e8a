#include "plan/applied.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

#include "base/replace_file.hpp"
#include "loader/file_image.hpp"

namespace gantry::plan {
namespace {

constexpr std::string_view note = ".applied";
constexpr std::string_view text_of_topology = ".yaml";

std::filesystem::path folder_of(const std::filesystem::path& state) {
  return std::filesystem::absolute(state).lexically_normal() / "topology";
}

std::filesystem::path beside(const std::filesystem::path& state, const std::string& host, std::string_view ending) {
  return folder_of(state) / (host + std::string(ending));
}

std::optional<std::string> read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// A process and when it began, in the system's ticks: numbers of processes are used again. proc(5), stat.
std::string life_of(pid_t pid) {
  const auto stat = read("/proc/" + std::to_string(pid) + "/stat").value_or(std::string());
  const auto name_end = stat.rfind(')');
  std::string out = std::to_string(pid);
  if (name_end == std::string::npos) return out;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string field;
  for (int number = 3; number <= 22 && fields >> field; ++number) continue;
  return out + "-" + field;
}

}  // namespace

std::filesystem::path applied_note(const std::filesystem::path& state, const std::string& host) {
  return beside(state, host, note);
}

// What counts is one file, written last: a kill or a full disk leaves what was noted before or what is noted now.
result<void> write_applied(const std::filesystem::path& state, const std::string& host, const applied_topology& what) {
  // The text may have secrets that somebody has written into it.
  std::error_code failed;
  std::filesystem::create_directories(folder_of(state), failed);
  std::filesystem::permissions(folder_of(state), std::filesystem::perms::owner_all, failed);
  if (failed) return error{errc::io, folder_of(state).string() + ": " + failed.message()};
  if (auto done = replace_file(beside(state, host, text_of_topology), what.text); !done) return done;
  return replace_file(beside(state, host, note), "text " + digest_of_text(what.text) + "\nfile-digest " +
                                                     what.file_digest + "\nformer-text " + what.former_digest +
                                                     "\nformer-file-digest " + what.former_file_digest + "\nwriter " +
                                                     life_of(getpid()) + "\nfile " + what.file + "\n\n" + what.text);
}

std::optional<applied_topology> read_applied(const std::filesystem::path& state, const std::string& host) {
  if (state.empty()) return std::nullopt;
  const auto whole = read(beside(state, host, note));
  if (!whole) return std::nullopt;
  applied_topology out;
  std::string digest;
  std::string writer;
  std::string_view rest = *whole;
  for (;;) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.empty()) break;
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos) continue;
    const auto name = line.substr(0, blank);
    auto& to = name == "text"                 ? digest
               : name == "file-digest"        ? out.file_digest
               : name == "former-text"        ? out.former_digest
               : name == "former-file-digest" ? out.former_file_digest
               : name == "writer"             ? writer
                                              : out.file;
    to = line.substr(blank + 1);
  }
  out.text = rest;
  // Of a version that kept the text beside it only.
  if (out.text.empty()) out.text = read(beside(state, host, text_of_topology)).value_or(std::string());
  if (digest != digest_of_text(out.text)) return std::nullopt;
  const auto pid = std::atoi(writer.c_str());
  out.by_who_lives = pid > 0 && writer == life_of(pid);
  return out;
}

std::vector<std::string> applied_hosts(const std::filesystem::path& state) {
  std::vector<std::string> out;
  if (state.empty()) return out;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(folder_of(state), failed), end; !failed && at != end;
       at.increment(failed))
    if (at->path().extension() == note) out.push_back(at->path().stem().string());
  std::sort(out.begin(), out.end());
  return out;
}

applied_topology next_applied(const std::optional<applied_topology>& present, const std::string& topology_file,
                              const std::string& file_digest, const std::string& file, const std::string& text) {
  applied_topology out{topology_file, file == topology_file ? digest_of_text(text) : file_digest, text, {}, {}};
  if (!present) return out;
  const bool same = present->text == text;
  out.former_digest = same ? present->former_digest : digest_of_text(present->text);
  out.former_file_digest = same ? present->former_file_digest : present->file_digest;
  return out;
}

applied_topology former_applied(const std::optional<applied_topology>& present, const std::string& topology_file,
                                const std::string& file_digest, const std::string& file, const std::string& text) {
  if (present && present->text == text) return *present;  // it was taken back already
  auto out = next_applied(present, topology_file, file_digest, file, text);
  if (present && present->former_digest == digest_of_text(text)) out.file_digest = present->former_file_digest;
  out.former_digest.clear();
  out.former_file_digest.clear();
  return out;
}

std::string digest_of_text(std::string_view text) { return loader::digest_of({{}, std::string(text)}); }

}  // namespace gantry::plan
