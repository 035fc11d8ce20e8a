// The text of SMTP, without a network: replies read line by line, bodies made ready for DATA.
// Pure. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace notification {

struct smtp_reply {
  int code = 0;
  std::vector<std::string> lines;  // without the code

  bool positive() const { return code >= 200 && code < 400; }
  bool transient() const { return code >= 400 && code < 500; }
  // "550 no such user", for error texts.
  std::string text() const;
};

// Collects the lines of one reply.
class smtp_reply_reader {
 public:
  enum class state { more, complete, malformed };
  // Takes a line without its CRLF.
  state add(std::string_view line);
  const smtp_reply& reply() const { return reply_; }

 private:
  smtp_reply reply_;
};

// What the server said it can do, from its answer to EHLO.
struct smtp_abilities {
  bool starttls = false;
  bool auth_plain = false;
  bool auth_login = false;
};
smtp_abilities abilities_of(const smtp_reply& ehlo);

// The message as it goes over the wire after DATA: lines that begin with a dot get another one, and the end is marked.
std::string dot_stuffed(std::string_view message);

}  // namespace notification
