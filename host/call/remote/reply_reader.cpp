#include "call/remote/reply_reader.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace gantry::call {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr unsigned max_interim = 8;
constexpr std::size_t reserve_at_most = 256 * 1024;  // what a length alone may take, before its bytes have come

// Headers of the connection, which ends here, and the date, which the local host's replies don't have either.
constexpr std::array<std::string_view, 9> dropped = {"connection", "content-length",   "date",
                                                     "keep-alive", "proxy-connection", "te",
                                                     "trailer",    "upgrade",          "transfer-encoding"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

class reply_reader::parser final : public http::basic_parser<false> {
 public:
  remote_reply reply;

 private:
  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override { reply.status = code; }
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    // Trailers say nothing that a caller may rely on.
    if (headers_done_) return;
    std::string lowered(name.size(), '\0');
    std::transform(name.begin(), name.end(), lowered.begin(), lower);
    if (std::find(dropped.begin(), dropped.end(), lowered) != dropped.end()) return;
    reply.headers.emplace_back(std::move(lowered), std::string(value));
  }
  void on_header_impl(error_code&) override { headers_done_ = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    if (length) reply.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, reserve_at_most)));
  }
  std::size_t on_body_impl(string_view part, error_code&) override {
    reply.body.append(part.data(), part.size());
    return part.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view part, error_code& failure) override {
    return on_body_impl(part, failure);
  }
  void on_finish_impl(error_code&) override {}

  bool headers_done_ = false;
};

reply_reader::reply_reader(bool head_only, limits at_most) : head_only_(head_only), limits_(at_most) { restart(); }
reply_reader::~reply_reader() = default;

void reply_reader::restart() {
  parser_ = std::make_unique<parser>();
  parser_->eager(true);
  parser_->skip(head_only_);
  parser_->header_limit(static_cast<std::uint32_t>(limits_.max_headers));
  parser_->body_limit(limits_.max_body);
}

reply_reader::state reply_reader::feed(std::string_view bytes) {
  begun_ = begun_ || !bytes.empty();
  rest_.append(bytes);
  return parse();
}

reply_reader::state reply_reader::parse() {
  for (;;) {
    error_code failure;
    while (!rest_.empty() && !parser_->is_done() && !failure)
      rest_.erase(0, parser_->put(boost::asio::const_buffer(rest_.data(), rest_.size()), failure));
    if (failure && failure != http::error::need_more) {
      if (failure == http::error::body_limit)
        return fail(errc::too_large, "the reply's body has more than " + std::to_string(limits_.max_body) + " bytes");
      if (failure == http::error::header_limit)
        return fail(errc::too_large,
                    "the reply's headers have more than " + std::to_string(limits_.max_headers) + " bytes");
      return fail(errc::corrupt, "the reply is not HTTP/1.1: " + failure.message());
    }
    if (!parser_->is_done() && rest_.size() > limits_.max_headers)
      return fail(errc::too_large,
                  "a line of the reply's framing has more than " + std::to_string(limits_.max_headers) + " bytes");
    if (!parser_->is_done()) return state::more;
    if (parser_->reply.status >= 200) return state::complete;
    if (parser_->reply.status == 101)
      return fail(errc::corrupt, "the reply changes the protocol, which nobody asked for");
    if (++interim_ > max_interim) return fail(errc::corrupt, "more than 8 interim replies came");
    restart();
  }
}

reply_reader::state reply_reader::end() {
  error_code failure;
  if (parser_->got_some() && parser_->is_header_done()) parser_->put_eof(failure);
  if (!failure && parser_->is_done()) return state::complete;
  return fail(errc::corrupt, "the reply was cut short");
}

reply_reader::state reply_reader::fail(errc code, std::string text) {
  failure_ = {code, std::move(text)};
  return state::failed;
}

bool reply_reader::keeps_connection() const noexcept { return rest_.empty() && parser_->keep_alive(); }

remote_reply reply_reader::take() noexcept { return std::move(parser_->reply); }

}  // namespace gantry::call
