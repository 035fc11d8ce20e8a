#include "smtp/smtp_channel.hpp"

#include <openssl/ssl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <gantry/failure.hpp>

#include "channels/file_sink.hpp"
#include "smtp/dialogue.hpp"

namespace notification {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {
constexpr std::size_t most_reply_bytes = 64 * 1024;

asio::ssl::context tls_context(const smtp_settings& settings) {
  asio::ssl::context out(asio::ssl::context::tls_client);
  error_code error;
  SSL_CTX_set_min_proto_version(out.native_handle(), TLS1_2_VERSION);
  out.set_verify_mode(asio::ssl::verify_peer);
  if (settings.ca_file.empty()) {
    out.set_default_verify_paths(error);
  } else {
    out.load_verify_file(settings.ca_file, error);
  }
  if (error) {
    throw gantry::failure(GANTRY_INVALID,
                          "smtp.ca_file \"" + settings.ca_file + "\" can't be used: " + error.message());
  }
  return out;
}
}  // namespace

// One connection and where the talk on it stands.
class smtp_channel::conversation {
 public:
  conversation(const smtp_settings& settings, asio::ssl::context& tls)
      : settings_(settings), socket_(io_), secure_(socket_, tls) {}

  void open() {
    connect();
    if (settings_.security == smtp_security::tls) handshake();
    expect("the greeting", read_reply());
    smtp_abilities can = greet();
    if (settings_.security == smtp_security::starttls) {
      if (!can.starttls) throw gantry::retry_later(where() + " offers no STARTTLS, and smtp.security asks for it");
      expect("STARTTLS", ask("STARTTLS"));
      // What came in plain text must not be taken for an answer under TLS.
      if (!buffer_.empty()) throw gantry::retry_later(where() + " sent more after STARTTLS than its answer");
      handshake();
      can = greet();
    }
    if (!settings_.username.empty()) log_in(can);
  }

  // The mail's envelope and content. Throws rejected for 5xx; `begun` turns true with the first answer, after which the
  // connection is known to be alive.
  void deliver(const std::string& from, const std::string& to, const std::string& content, bool& begun) {
    const smtp_reply sender = ask("MAIL FROM:<" + from + ">");
    begun = sender.code != 421;
    judge("MAIL FROM", sender);
    judge("RCPT TO", ask("RCPT TO:<" + to + ">"));
    judge("DATA", ask("DATA"));
    send(dot_stuffed(content));
    judge("the message", read_reply());
  }

  // Makes the conversation ready for another mail after one was refused; false if it is not.
  bool reset() { return ask("RSET").code == 250; }

  void quit() noexcept {
    // Nobody waits for the answer: the server may close whenever it likes.
    try {
      send("QUIT\r\n");
    } catch (const gantry::failure&) {
      return;
    }
  }

  std::chrono::steady_clock::time_point last_used;

 private:
  std::string where() const { return settings_.host + ":" + std::to_string(settings_.port); }

  [[noreturn]] void broken(std::string_view what, const error_code& error) const {
    throw gantry::retry_later(where() + ": " + std::string(what) + ": " + error.message());
  }

  // Starts one operation with a completion function and waits for it no longer than the timeout.
  template <typename Start>
  error_code await(Start start) {
    error_code outcome = asio::error::would_block;
    start([&outcome](const error_code& error, auto&&...) { outcome = error; });
    io_.restart();
    io_.run_for(settings_.timeout);
    if (outcome != asio::error::would_block) return outcome;
    // The operation must have ended before its buffers go.
    error_code ignored;
    resolver_.cancel();
    socket_.close(ignored);
    io_.restart();
    io_.run();
    return asio::error::timed_out;
  }

  void connect() {
    tcp::resolver::results_type found;
    error_code error = await([&](auto done) {
      resolver_.async_resolve(settings_.host, std::to_string(settings_.port),
                              [&found, done](const error_code& e, tcp::resolver::results_type results) {
                                found = std::move(results);
                                done(e);
                              });
    });
    if (error) broken("can't resolve the name", error);
    error = await([&](auto done) { asio::async_connect(socket_, found, done); });
    if (error) broken("can't connect", error);
    socket_.set_option(tcp::no_delay(true), error);
  }

  void handshake() {
    SSL_set_tlsext_host_name(secure_.native_handle(), settings_.host.c_str());
    secure_.set_verify_callback(asio::ssl::host_name_verification(settings_.host));
    const error_code error = await([&](auto done) { secure_.async_handshake(asio::ssl::stream_base::client, done); });
    if (error) broken("TLS", error);
    encrypted_ = true;
  }

  smtp_abilities greet() {
    const smtp_reply answer = ask("EHLO " + settings_.helo);
    expect("EHLO", answer);
    return abilities_of(answer);
  }

  void log_in(const smtp_abilities& can) {
    if (can.auth_plain) {
      const std::string token = std::string(1, '\0') + settings_.username + std::string(1, '\0') + settings_.password;
      expect("AUTH PLAIN", ask("AUTH PLAIN " + base64(token)));
    } else if (can.auth_login) {
      expect("AUTH LOGIN", ask("AUTH LOGIN"));
      expect("AUTH LOGIN", ask(base64(settings_.username)));
      expect("AUTH LOGIN", ask(base64(settings_.password)));
    } else {
      throw gantry::retry_later(where() + " offers neither AUTH PLAIN nor AUTH LOGIN");
    }
  }

  // Before a mail has begun, no answer says anything about the mail.
  void expect(std::string_view what, const smtp_reply& answer) const {
    if (!answer.positive()) {
      throw gantry::retry_later(where() + " refused " + std::string(what) + ": " + answer.text());
    }
  }

  void judge(std::string_view what, const smtp_reply& answer) const {
    if (answer.positive()) return;
    const std::string text = where() + " refused " + std::string(what) + ": " + answer.text();
    if (answer.transient()) throw gantry::retry_later(text);
    throw gantry::rejected(text);
  }

  smtp_reply ask(const std::string& command) {
    send(command + "\r\n");
    return read_reply();
  }

  void send(const std::string& text) {
    const error_code error = await([&](auto done) {
      if (encrypted_) {
        asio::async_write(secure_, asio::buffer(text), done);
      } else {
        asio::async_write(socket_, asio::buffer(text), done);
      }
    });
    if (error) broken("can't send", error);
  }

  smtp_reply read_reply() {
    smtp_reply_reader reader;
    while (true) {
      switch (reader.add(read_line())) {
        case smtp_reply_reader::state::more:
          break;
        case smtp_reply_reader::state::complete:
          return reader.reply();
        case smtp_reply_reader::state::malformed:
          throw gantry::retry_later(where() + " does not speak SMTP: expected a reply of three digits");
      }
    }
  }

  std::string read_line() {
    const error_code error = await([&](auto done) {
      auto into = asio::dynamic_buffer(buffer_, most_reply_bytes);
      if (encrypted_) {
        asio::async_read_until(secure_, into, "\r\n", done);
      } else {
        asio::async_read_until(socket_, into, "\r\n", done);
      }
    });
    if (error) broken("can't read", error);
    const std::size_t end = buffer_.find("\r\n");
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return line;
  }

  const smtp_settings& settings_;
  asio::io_context io_;
  tcp::resolver resolver_{io_};
  tcp::socket socket_;
  asio::ssl::stream<tcp::socket&> secure_;
  bool encrypted_ = false;
  std::string buffer_;
};

// The conversations that wait for a mail, the most recently used last.
class smtp_channel::kept {
 public:
  kept(smtp_settings settings, mailbox from)
      : settings_(std::move(settings)), from_(std::move(from)), tls_(tls_context(settings_)) {}

  ~kept() {
    for (const auto& open : idle_) open->quit();
  }

  void send(const mail& m) {
    const std::string content = write_mail(m);
    if (auto known = take()) {
      bool begun = false;
      try {
        talk(std::move(known), m, content, begun);
        return;
      } catch (const gantry::retry_later&) {
        // A server may hang up on an idle connection at any time; only a fresh one tells whether it is there.
        if (begun) throw;
      }
    }
    auto fresh = std::make_unique<conversation>(settings_, tls_);
    fresh->open();
    bool begun = false;
    talk(std::move(fresh), m, content, begun);
  }

  const mailbox& from() const { return from_; }

 private:
  void talk(std::unique_ptr<conversation> with, const mail& m, const std::string& content, bool& begun) {
    try {
      with->deliver(from_.address, m.to, content, begun);
    } catch (const gantry::rejected&) {
      // The connection is fine, and the next mail may be too.
      keep_after_refusal(std::move(with));
      throw;
    }
    keep(std::move(with));
  }

  void keep_after_refusal(std::unique_ptr<conversation> with) {
    try {
      if (with->reset()) keep(std::move(with));
    } catch (const gantry::retry_later&) {
      with.reset();
    }
  }

  std::unique_ptr<conversation> take() {
    const auto oldest = std::chrono::steady_clock::now() - settings_.idle;
    const std::scoped_lock held(lock_);
    if (idle_.empty()) return nullptr;
    auto out = std::move(idle_.back());
    idle_.pop_back();
    if (out->last_used >= oldest) return out;
    // If the latest is too old, all are.
    idle_.clear();
    return nullptr;
  }

  void keep(std::unique_ptr<conversation> with) {
    with->last_used = std::chrono::steady_clock::now();
    const std::scoped_lock held(lock_);
    idle_.push_back(std::move(with));
  }

  smtp_settings settings_;
  mailbox from_;
  asio::ssl::context tls_;
  std::mutex lock_;
  std::vector<std::unique_ptr<conversation>> idle_;  // under lock_
};

smtp_channel::smtp_channel(smtp_settings settings, mailbox from) {
  if (settings.security == smtp_security::none && !settings.username.empty()) {
    throw gantry::failure(GANTRY_INVALID,
                          "smtp.username is given with smtp.security none: a password is not sent in "
                          "plain text; use starttls or tls");
  }
  kept_ = std::make_unique<kept>(std::move(settings), std::move(from));
}

smtp_channel::~smtp_channel() = default;

void smtp_channel::send(const outgoing& message) { kept_->send(mail_of(message, kept_->from())); }

}  // namespace notification
