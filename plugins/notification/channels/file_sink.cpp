#include "channels/file_sink.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <gantry/failure.hpp>
#include <gantry/json_writer.hpp>

namespace notification {

// A file descriptor that is closed with this object; negative: none.
class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

namespace {

[[noreturn]] void fail(const std::string& what, const std::string& path, int error) {
  throw gantry::retry_later(what + " " + path + ": " + std::generic_category().message(error));
}

void write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("can't write", path, errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

// The characters of the id that name a sub-directory; an id that is too short or has dashes there is filled up.
std::string shard(std::string_view id, std::size_t from, std::size_t size) {
  std::string plain;
  for (const char c : id) {
    if (c != '-' && c != '.') plain += c;
  }
  plain.resize(from + size > plain.size() ? from + size : plain.size(), '_');
  return plain.substr(from, size);
}

// The open files of this process, as a folder: linking from there resolves no path from the root.
int open_files() {
  static const descriptor folder(::open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
  return folder.get();
}

// The file gets its name when it is complete: one change of the folder. False where the file system has no such files, when
// the folder has gone, or when a file of this name is there already, from an earlier run of the job.
bool write_nameless(int folder, const std::string& name, std::string_view content) {
  const descriptor file(::openat(folder, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644));
  if (file.get() < 0) return false;
  write_all(file.get(), content, name);
  // By the descriptor itself: one path less to walk. Linux before 6.10 allows it only to who may search every folder (open(2)).
  if (::linkat(file.get(), "", folder, name.c_str(), AT_EMPTY_PATH) == 0) return true;
  if (errno != ENOENT && errno != EPERM) return false;
  return ::linkat(open_files(), std::to_string(file.get()).c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

void write_and_rename(const std::string& folder, const std::string& path, std::string_view content) {
  // Two runs of one job, should a lease be lost, must not write into one file.
  const std::string temporary = path + "." + std::to_string(::gettid()) + ".tmp";
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  int fd = ::open(temporary.c_str(), flags, 0644);
  if (fd < 0 && errno == ENOENT) {
    // Somebody tidied up: the folder that was known to exist is gone.
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    fd = ::open(temporary.c_str(), flags, 0644);
  }
  if (fd < 0) fail("can't create", temporary, errno);
  descriptor file(fd);
  try {
    write_all(file.get(), content, temporary);
    if (::close(file.release()) != 0) fail("can't write", temporary, errno);
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail("can't rename to", path, errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

}  // namespace

file_sink::file_sink(std::string directory, std::string extension)
    : directory_(std::move(directory)), extension_(std::move(extension)) {}

std::string file_sink::path_of(std::string_view id) const {
  std::string out = directory_;
  out.append("/").append(shard(id, 0, 6)).append("/").append(shard(id, 6, 3));
  return out.append("/").append(id).append(extension_);
}

std::shared_ptr<const descriptor> file_sink::open_folder(const std::string& folder) {
  {
    const std::scoped_lock held(lock_);
    if (last_folder_ == folder) return last_open_;
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail("can't create", folder, error.value());
  auto opened = std::make_shared<const descriptor>(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (opened->get() < 0) fail("can't open", folder, errno);
  const std::scoped_lock held(lock_);
  last_folder_ = folder;
  last_open_ = opened;
  return opened;
}

void file_sink::write(std::string_view id, std::string_view content) {
  const std::string path = path_of(id);
  const auto name_at = path.rfind('/') + 1;
  const std::string folder = path.substr(0, name_at - 1);
  const auto opened = open_folder(folder);
  if (!write_nameless(opened->get(), path.substr(name_at), content)) write_and_rename(folder, path, content);
}

mail mail_of(const outgoing& message, const mailbox& from) {
  if (!is_address(message.to)) {
    throw gantry::rejected("\"" + std::string(message.to) + "\" is not a mail address of the form local@domain");
  }
  return {std::string(message.id),
          from,
          std::string(message.to),
          std::string(message.subject),
          std::string(message.text),
          std::string(message.html),
          message.at_us};
}

std::string short_message_json(const outgoing& message) {
  gantry::json_writer out;
  out.object()
      .field("id", message.id)
      .field("to", message.to)
      .field("title", message.subject)
      .field("text", message.brief)
      .end();
  return out.take();
}

eml_channel::eml_channel(std::string directory, mailbox from)
    : from_(std::move(from)), sink_(std::move(directory), ".eml") {}

void eml_channel::send(const outgoing& message) { sink_.write(message.id, write_mail(mail_of(message, from_))); }

json_file_channel::json_file_channel(std::string directory) : sink_(std::move(directory), ".json") {}

void json_file_channel::send(const outgoing& message) { sink_.write(message.id, short_message_json(message)); }

}  // namespace notification
