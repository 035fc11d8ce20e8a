#include "smtp_server.hpp"

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include <mutex>
#include <thread>

#include "domain/mime.hpp"

namespace notification::testing {
namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;

class smtp_server::core {
 public:
  explicit core(smtp_script script) : script_(std::move(script)), tls_(asio::ssl::context::tls_server) {
    if (script_.tls) {
      tls_.use_certificate_chain(asio::buffer(script_.tls->certificate_pem));
      tls_.use_private_key(asio::buffer(script_.tls->key_pem), asio::ssl::context::pem);
    }
    asio::co_spawn(io_, accept(), asio::detached);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~core() {
    io_.stop();
    thread_.join();
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  mutable std::mutex lock;
  std::vector<received_mail> mails;
  std::vector<std::string> commands;
  std::size_t connections = 0;

 private:
  // What is known of one client.
  struct client {
    std::string buffer;
    received_mail mail;
    std::size_t mails = 0;
    bool encrypted = false;
  };
  enum class next { go_on, hang_up, start_tls };

  asio::awaitable<void> accept() {
    while (true) {
      tcp::socket socket = co_await acceptor_.async_accept(use_awaitable);
      {
        const std::scoped_lock held(lock);
        ++connections;
      }
      asio::co_spawn(io_, serve(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> serve(tcp::socket socket) {
    client who;
    if (!script_.tls_from_start) {
      co_await send(socket, reply_to("connect", "220 ready"));
      if (co_await talk(socket, who) != next::start_tls) co_return;
    }
    asio::ssl::stream<tcp::socket&> secure(socket, tls_);
    co_await secure.async_handshake(asio::ssl::stream_base::server, use_awaitable);
    who.encrypted = true;
    if (script_.tls_from_start) co_await send(secure, reply_to("connect", "220 ready"));
    co_await talk(secure, who);
  }

  template <typename Stream>
  asio::awaitable<next> talk(Stream& stream, client& who) {
    while (true) {
      const std::string line = co_await read_line(stream, who);
      {
        const std::scoped_lock held(lock);
        commands.push_back(line);
      }
      const std::string word = line.substr(0, line.find_first_of(" :"));
      next then = next::go_on;
      if (word == "EHLO")
        co_await send(stream, reply_to(word, ehlo(who)));
      else if (word == "STARTTLS")
        then = next::start_tls;
      else if (word == "AUTH")
        co_await authenticate(stream, who, line);
      else if (word == "MAIL")
        co_await envelope(stream, who.mail.from, line, word);
      else if (word == "RCPT")
        co_await envelope(stream, who.mail.to, line, word);
      else if (word == "DATA")
        then = co_await take_message(stream, who);
      else if (word == "QUIT")
        then = next::hang_up;
      else
        co_await send(stream, reply_to(word, "250 fine"));
      if (then == next::start_tls) {
        const std::string answer = reply_to(word, "220 go ahead");
        co_await send(stream, answer, script_.after_starttls);
        if (answer.starts_with("220")) co_return then;
      }
      if (then == next::hang_up) co_return then;
    }
  }

  template <typename Stream>
  asio::awaitable<void> envelope(Stream& stream, std::string& into, const std::string& line, const std::string& word) {
    into = line.substr(line.find('<') + 1, line.find('>') - line.find('<') - 1);
    co_await send(stream, reply_to(word, "250 fine"));
  }

  template <typename Stream>
  asio::awaitable<next> take_message(Stream& stream, client& who) {
    const std::string answer = reply_to("DATA", "354 go ahead");
    co_await send(stream, answer);
    if (!answer.starts_with("354")) co_return next::go_on;
    who.mail.content.clear();
    for (std::string line = co_await read_line(stream, who); line != "."; line = co_await read_line(stream, who)) {
      who.mail.content += line.starts_with('.') ? line.substr(1) : line;
      who.mail.content += "\r\n";
    }
    const std::string verdict = reply_to(".", "250 taken");
    if (verdict.starts_with("250")) {
      const std::scoped_lock held(lock);
      who.mail.encrypted = who.encrypted;
      mails.push_back(who.mail);
    }
    co_await send(stream, verdict);
    co_return ++who.mails == script_.mails_per_connection ? next::hang_up : next::go_on;
  }

  template <typename Stream>
  asio::awaitable<void> authenticate(Stream& stream, client& who, const std::string& line) {
    const std::size_t colon = script_.accepted_login.find(':');
    const std::string user = script_.accepted_login.substr(0, colon);
    const std::string password = script_.accepted_login.substr(colon + 1);
    bool good = false;
    if (line.starts_with("AUTH PLAIN ")) {
      good = line.substr(11) == base64(std::string(1, '\0') + user + std::string(1, '\0') + password);
    } else {
      co_await send(stream, "334 VXNlcm5hbWU6");
      const std::string given_user = co_await read_line(stream, who);
      co_await send(stream, "334 UGFzc3dvcmQ6");
      const std::string given_password = co_await read_line(stream, who);
      good = given_user == base64(user) && given_password == base64(password);
    }
    co_await send(stream, reply_to("AUTH", good ? "235 welcome" : "535 no"));
  }

  std::string ehlo(const client& who) const {
    std::string out = "250-loopback";
    if (script_.tls && !who.encrypted) out += "\r\n250-STARTTLS";
    if (!script_.auth.empty() && who.encrypted) out += "\r\n250-AUTH " + script_.auth;
    return out + "\r\n250 8BITMIME";
  }

  std::string reply_to(const std::string& word, const std::string& usual) {
    const auto at = script_.replies.find(word);
    if (at == script_.replies.end() || at->second.empty()) return usual;
    std::string out = at->second.front();
    at->second.erase(at->second.begin());
    return out;
  }

  template <typename Stream>
  static asio::awaitable<std::string> read_line(Stream& stream, client& who) {
    co_await asio::async_read_until(stream, asio::dynamic_buffer(who.buffer), "\r\n", use_awaitable);
    const std::size_t end = who.buffer.find("\r\n");
    std::string line = who.buffer.substr(0, end);
    who.buffer.erase(0, end + 2);
    co_return line;
  }

  template <typename Stream>
  static asio::awaitable<void> send(Stream& stream, std::string reply, std::string more = {}) {
    if (reply.empty()) co_return;
    const std::string text = reply + "\r\n" + more;
    co_await asio::async_write(stream, asio::buffer(text), use_awaitable);
  }

  smtp_script script_;
  asio::io_context io_{1};
  asio::ssl::context tls_;
  tcp::acceptor acceptor_{io_, {asio::ip::address_v4::loopback(), 0}};
  std::thread thread_;
};

smtp_server::smtp_server(smtp_script script) : core_(std::make_unique<core>(std::move(script))) {}
smtp_server::~smtp_server() = default;
std::uint16_t smtp_server::port() const { return core_->port(); }
std::vector<received_mail> smtp_server::mails() const {
  const std::scoped_lock held(core_->lock);
  return core_->mails;
}
std::vector<std::string> smtp_server::commands() const {
  const std::scoped_lock held(core_->lock);
  return core_->commands;
}
std::size_t smtp_server::connections() const {
  const std::scoped_lock held(core_->lock);
  return core_->connections;
}

}  // namespace notification::testing
