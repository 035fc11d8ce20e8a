#include "lifecycle/generation_pointer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

namespace gantry::lifecycle {
namespace {

std::filesystem::path path_of(const std::filesystem::path& state, const std::string& plugin, const std::string& host) {
  return std::filesystem::absolute(state).lexically_normal() / "generations" / (plugin + "." + host + ".current");
}

error failed(const std::filesystem::path& path, int code) {
  return {errc::io, path.string() + ": " + std::strerror(code)};
}

// Opens, makes durable, closes.
result<void> sync_path(const std::filesystem::path& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) return failed(path, errno);
  const int done = ::fsync(file);
  const int code = errno;
  ::close(file);
  if (done != 0) return failed(path, code);
  return {};
}

}  // namespace

result<void> replace_file(const std::filesystem::path& path, std::string_view content) {
  std::error_code code;
  std::filesystem::create_directories(path.parent_path(), code);
  if (code) return error{errc::io, path.parent_path().string() + ": " + code.message()};
  auto unfinished = path;
  unfinished += ".part";
  {
    std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.flush();
    if (!out) return error{errc::io, unfinished.string() + " can't be written"};
  }
  if (auto done = sync_path(unfinished, O_RDONLY); !done) return done;
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return failed(path, errno);
  return sync_path(path.parent_path(), O_RDONLY | O_DIRECTORY);
}

result<std::optional<generation_pointer>> read_pointer(const std::filesystem::path& state, const std::string& plugin,
                                                       const std::string& host) {
  const auto path = path_of(state, plugin, host);
  std::ifstream in(path);
  if (!in) return std::optional<generation_pointer>();
  generation_pointer out;
  int number = 0;
  bool whole = false;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const auto blank = line.find(' ');
    const auto name = line.substr(0, blank);
    const auto content = blank == std::string::npos ? std::string() : line.substr(blank + 1);
    const auto bad = [&](const char* expected) {
      return error{errc::invalid,
                   path.string() + ":" + std::to_string(number) + ": found \"" + line + "\", expected " + expected};
    };
    if (name == "generation") {
      const auto [end, code] = std::from_chars(content.data(), content.data() + content.size(), out.generation);
      if (code != std::errc{} || end != content.data() + content.size() || out.generation == 0)
        return bad("a number from 1");
    } else if (name == "copy") {
      // A name beside this file, so that the state directory can be moved.
      if (content.empty() || content.find('/') != std::string::npos) return bad("the name of a file in this directory");
      out.copy = path.parent_path() / content;
    } else if (name == "digest") {
      out.digest = content;
    } else if (name == "library-digest") {
      out.library_digest = content;
    } else if (name == "end") {
      whole = true;
    } else {
      return bad("generation, copy, digest, library-digest or end");
    }
  }
  if (!whole || out.copy.empty() || out.digest.empty())
    return error{errc::invalid, path.string() + ": is not complete; remove it to start with the topology's library"};
  return std::optional<generation_pointer>(std::move(out));
}

result<void> write_pointer(const std::filesystem::path& state, const std::string& plugin, const std::string& host,
                           const generation_pointer& to) {
  return replace_file(path_of(state, plugin, host), "generation " + std::to_string(to.generation) + "\ncopy " +
                                                        to.copy.filename().string() + "\ndigest " + to.digest +
                                                        "\nlibrary-digest " + to.library_digest + "\nend\n");
}

}  // namespace gantry::lifecycle
