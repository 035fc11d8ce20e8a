#include "store/postgres/connect_failure.hpp"

#include <algorithm>
#include <array>

namespace gantry::store::postgres {
namespace {

struct reason {
  std::string_view sign;  // an SQLSTATE, or words of libpq
  errc code;
  std::string_view meaning;
};

// The first that is found tells. The server's answers come before what libpq says about the way there.
constexpr std::array<reason, 22> reasons{{
    {" 28P01: ", errc::invalid, "wrong user or password"},
    {" 28000: ", errc::invalid, "the server does not let this user in from here (pg_hba.conf)"},
    {" 3D000: ", errc::invalid, "there is no such database"},
    {" 42501: ", errc::invalid, "the user may not connect to this database"},
    {" 53300: ", errc::unavailable, "the server has no connection left (max_connections)"},
    {" 57P03: ", errc::unavailable, "the server is starting or stopping"},
    {" 57P01: ", errc::unavailable, "the server is stopping"},
    {" 57P02: ", errc::unavailable, "the server has crashed and is recovering"},
    {"no password supplied", errc::invalid, "the server wants a password and the url has none"},
    {"server certificate for", errc::invalid, "the certificate is for another host"},
    {"certificate verify failed", errc::invalid, "the server's certificate is not trusted"},
    {"root certificate file", errc::invalid, "the root certificate can't be read"},
    {"certificate file", errc::invalid, "the client's certificate can't be read"},
    {"private key file", errc::invalid, "the client's private key can't be used"},
    {"does not support SSL", errc::invalid, "the server does not speak TLS and the url asks for it"},
    {"SSL error", errc::invalid, "TLS failed"},
    {"Connection refused", errc::unavailable, "nobody listens there"},
    {"could not translate host name", errc::unavailable, "the host's name is not known"},
    {"No such file or directory", errc::unavailable, "there is no such socket"},
    {"timeout", errc::unavailable, "no answer in time"},
    {"No route to host", errc::unavailable, "there is no way to the host"},
    {"closed the connection", errc::unavailable, "the server hung up"},
}};

// One line, without the lines that say where in the server's source it happened.
std::string first_words(std::string_view words) {
  std::string out;
  while (!words.empty()) {
    const auto line = words.substr(0, words.find('\n'));
    words.remove_prefix(std::min(words.size(), line.size() + 1));
    if (line.substr(0, 8) == "LOCATION") continue;
    if (!out.empty() && !line.empty()) out += ' ';
    for (const char c : line) out += c == '\t' ? ' ' : c;
  }
  return out;
}

}  // namespace

error connect_failure(std::string_view place, std::string_view words, std::string_view password) {
  std::string said = first_words(words);
  for (auto at = said.find(password); !password.empty() && at != std::string::npos; at = said.find(password)) {
    said.replace(at, password.size(), "...");
    if (password == "...") break;
  }
  for (const auto& each : reasons) {
    if (said.find(each.sign) == std::string::npos) continue;
    return error{each.code, "postgres " + std::string(place) + ": " + std::string(each.meaning) + ": " + said};
  }
  return error{errc::unavailable, "postgres " + std::string(place) + " can't be reached: " + said};
}

}  // namespace gantry::store::postgres
