// TLS as a client: verifies the other host's certificate and shows this host's own. OpenSSL shows only in tls.cpp.
// Contexts: any thread. Sessions: owned by a channel, one thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "call/remote/remote_calls.hpp"
#include "call/remote/tcp_socket.hpp"

namespace gantry::call {

class tls_context;

// invalid: a file that can't be read or used; the text names it.
result<std::shared_ptr<const tls_context>> make_tls_context(const tls_files& files);

class tls_session {
 public:
  // `server_name`: a DNS name or a numeric address, which the certificate must be for.
  tls_session(std::shared_ptr<const tls_context> context, const std::string& server_name);
  tls_session(const tls_session&) = delete;
  tls_session& operator=(const tls_session&) = delete;
  ~tls_session();

  // Errors: timeout, unavailable: the text says whether the certificate has expired, is for another name, comes from an
  // unknown authority, or what the other side objects to.
  result<void> handshake(tcp_socket& over, const deadline& by);

  // Encrypts what is given; `bytes` is empty afterwards. The result waits in output() for the socket.
  io encrypt(std::string_view& bytes);
  std::string_view output() const noexcept { return output_; }
  void sent(std::size_t bytes) { output_.erase(0, bytes); }

  // Takes in what came from the socket.
  void arrived(std::string_view bytes);
  // Hands out decrypted bytes: ok, blocked (more must arrive), ended (the other side said so), broken.
  io decrypt(char* to, std::size_t size, std::size_t& got);

  // Why the last operation was broken.
  const std::string& reason() const noexcept { return reason_; }

 private:
  struct parts;
  void collect();
  std::string describe() const;

  const std::unique_ptr<parts> parts_;
  std::string server_name_;
  std::string output_;
  std::string reason_;
};

}  // namespace gantry::call
