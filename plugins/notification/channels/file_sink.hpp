// Keeps messages as files, for shops that have no provider yet, and for tests.
//
// A file is written under a temporary name and renamed when it is whole, so that a reader never sees half of one;
// writing an id again replaces its file by the same bytes. Ids are times, so the first nine digits name the
// sub-directories: one for every four seconds, which keeps any directory below 100,000 files at the rates that the shop
// is built for. Thread: pool; several at once.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "channels/channel.hpp"
#include "domain/mime.hpp"

namespace notification {

class descriptor;

class file_sink {
 public:
  // Nothing is created before the first write.
  file_sink(std::string directory, std::string extension);

  // Throws gantry::retry_later with the reason of the operating system.
  void write(std::string_view id, std::string_view content);

  // Where the file of this id is: <directory>/<6 characters>/<3 characters>/<id><extension>.
  std::string path_of(std::string_view id) const;

 private:
  // Makes the folder if need be.
  std::shared_ptr<const descriptor> open_folder(const std::string& folder);

  std::string directory_;
  std::string extension_;
  std::mutex lock_;
  std::string last_folder_;                      // under lock_, as what follows
  std::shared_ptr<const descriptor> last_open_;  // last_folder_
};

// Mail as .eml files.
class eml_channel final : public channel {
 public:
  eml_channel(std::string directory, mailbox from);
  void send(const outgoing& message) override;

 private:
  mailbox from_;
  file_sink sink_;
};

// SMS or push messages as .json files: {"id", "to", "title", "text"}.
class json_file_channel final : public channel {
 public:
  explicit json_file_channel(std::string directory);
  void send(const outgoing& message) override;

 private:
  file_sink sink_;
};

// The mail that a message makes. Throws gantry::rejected if the recipient is not an address.
mail mail_of(const outgoing& message, const mailbox& from);

// The JSON that a short message makes.
std::string short_message_json(const outgoing& message);

}  // namespace notification
