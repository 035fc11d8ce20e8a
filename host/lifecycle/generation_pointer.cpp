#include "lifecycle/generation_pointer.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

#include "base/replace_file.hpp"

namespace gantry::lifecycle {
namespace {

std::filesystem::path path_of(const std::filesystem::path& state, const std::string& plugin, const std::string& host) {
  return std::filesystem::absolute(state).lexically_normal() / "generations" / (plugin + "." + host + ".current");
}

}  // namespace

result<std::optional<generation_pointer>> read_pointer(const std::filesystem::path& state, const std::string& plugin,
                                                       const std::string& host) {
  const auto path = path_of(state, plugin, host);
  errno = 0;
  std::ifstream in(path);
  if (!in && errno == ENOENT) return std::optional<generation_pointer>();
  if (!in) return error{errc::io, path.string() + ": " + std::strerror(errno)};
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
    } else if (name == "preferred") {
      out.preferred = true;
    } else if (name == "former-copy") {
      if (content.empty() || content.find('/') != std::string::npos) return bad("the name of a file in this directory");
      out.former_copy = path.parent_path() / content;
    } else if (name == "former-digest") {
      out.former_digest = content;
    } else if (name == "former-run") {
      out.former_run = content;
    } else if (name == "end") {
      whole = true;
    } else {
      return bad("generation, copy, digest, library-digest, preferred, former-copy, former-digest, former-run or end");
    }
  }
  if (!whole || out.copy.empty() || out.digest.empty())
    return error{errc::invalid, path.string() + ": is not complete; remove it to start with the topology's library"};
  return std::optional<generation_pointer>(std::move(out));
}

result<void> write_pointer(const std::filesystem::path& state, const std::string& plugin, const std::string& host,
                           const generation_pointer& to) {
  const auto former = to.former_copy.empty()
                          ? std::string()
                          : "\nformer-copy " + to.former_copy.filename().string() + "\nformer-digest " +
                                to.former_digest + "\nformer-run " + to.former_run;
  return replace_file(path_of(state, plugin, host), "generation " + std::to_string(to.generation) + "\ncopy " +
                                                        to.copy.filename().string() + "\ndigest " + to.digest +
                                                        "\nlibrary-digest " + to.library_digest +
                                                        (to.preferred ? "\npreferred" : "") + former + "\nend\n");
}

}  // namespace gantry::lifecycle
