#include "api/templates.hpp"

#include <charconv>
#include <string>
#include <utility>

#include <gantry/json_writer.hpp>

#include "events/schemas.hpp"

namespace notification {
namespace {

struct part {
  std::string_view name;
  std::string template_source::*member;
  std::size_t most_bytes;
  bool required;
};
constexpr part parts[] = {{"subject", &template_source::subject, 500, true},
                          {"text", &template_source::text, 65'536, true},
                          {"html", &template_source::html, 262'144, false},
                          {"short", &template_source::brief, 500, true}};

gantry::reply no_such_template(const gantry::request& q) {
  return gantry::not_found("There is no template " + std::string(q.path("name")) + "; there are order-confirmed, " +
                           "order-cancelled, payment-refunded, shipment-dispatched and shipment-delivered.");
}

std::string etag_of(std::int64_t version) { return "\"" + std::to_string(version) + "\""; }

std::string_view type_name(variable_type type) {
  switch (type) {
    case variable_type::text:
      return "text";
    case variable_type::integer:
      return "integer";
    case variable_type::money:
      return "money";
    case variable_type::boolean:
      return "boolean";
    case variable_type::list:
      return "list";
  }
  return "text";
}

void write_variables(gantry::json_writer& out, std::span<const variable> list) {
  out.array();
  for (const variable& entry : list) {
    out.object().field("name", entry.name).field("type", type_name(entry.type));
    if (!entry.item.empty()) write_variables(out.key("item"), entry.item);
    out.end();
  }
  out.end();
}

void write_source(gantry::json_writer& out, const message_template& from) {
  out.field("name", name_of(from.about())).field("locale", from.locale()).field("version", from.version());
  for (const part& p : parts) out.field(p.name, from.source().*p.member);
}

gantry::reply template_reply(const message_template& from) {
  gantry::json_writer out;
  out.object();
  write_source(out, from);
  write_variables(out.key("variables"), variables_of(from.about()));
  out.end();
  return gantry::reply(200, std::move(out)).header("etag", etag_of(from.version()));
}

// The parts that the body gives, over those in `into`. What is wrong goes to `errors`.
void take_parts(gantry::json_view body, bool all, template_source& into, gantry::field_errors& errors) {
  for (const part& p : parts) {
    const gantry::json_view given = body[p.name];
    if (!given && (!all || !p.required)) continue;
    const std::string_view text = given.text();
    if (!given.is_string() || (p.required && text.empty())) {
      errors.push_back({std::string(p.name), "must be a text that is not empty"});
    } else if (text.size() > p.most_bytes) {
      errors.push_back({std::string(p.name), "must be at most " + std::to_string(p.most_bytes) + " bytes, found " +
                                                 std::to_string(text.size())});
    } else {
      into.*p.member = text;
    }
  }
}

// The locale that the body names; what is wrong goes to `errors`.
std::string locale_in(gantry::json_view body, gantry::field_errors& errors) {
  const std::string locale(body["locale"].text_or("en"));
  if (!is_locale(locale)) errors.push_back({"locale", "must be like de or de-AT, found \"" + locale + "\""});
  return locale;
}

std::optional<message_template> compile(notice about, const std::string& locale, template_source source,
                                        gantry::field_errors& errors) {
  std::vector<template_error> faults;
  auto out = message_template::compile(about, locale, 1, std::move(source), faults);
  for (template_error& fault : faults) errors.push_back({std::move(fault.field), std::move(fault.text)});
  return out;
}

gantry::reply invalid_template(const gantry::field_errors& errors) {
  return gantry::unprocessable("invalid-template", "The template can't be used.", errors);
}

std::optional<std::int64_t> version_asked(const gantry::request& q, gantry::field_errors& errors) {
  const auto text = q.query("version");
  if (!text) return std::nullopt;
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (error != std::errc() || end != text->data() + text->size() || out < 1) {
    errors.push_back({"version", "must be a whole number from 1, found \"" + std::string(*text) + "\""});
  }
  return out;
}

}  // namespace

gantry::reply list_templates(const gantry::request&, gantry::context& ctx) {
  const auto found = current_templates(ctx.read());
  gantry::json_writer out;
  out.object().key("items").array();
  for (const template_ptr& entry : found) {
    out.object()
        .field("name", name_of(entry->about()))
        .field("locale", entry->locale())
        .field("version", entry->version())
        .end();
  }
  out.end().field("page", 1).field("pageSize", 100).field("total", found.size()).end();
  return {200, gantry::json(std::move(out))};
}

gantry::reply get_template(const gantry::request& q, gantry::context& ctx) {
  const auto about = notice_of(q.path("name"));
  if (!about) return no_such_template(q);
  gantry::field_errors errors;
  const auto version = version_asked(q, errors);
  if (!errors.empty()) return gantry::bad_request("The version is not a number.", errors);
  const std::string_view locale = q.query("locale").value_or("en");
  const template_ptr found = find_template(ctx.read(), *about, locale, version);
  if (!found) return gantry::not_found("There is no such version in locale " + std::string(locale) + ".");
  return template_reply(*found);
}

gantry::reply put_template(const gantry::request& q, gantry::context& ctx) {
  const auto about = notice_of(q.path("name"));
  if (!about) return no_such_template(q);
  const gantry::json_view body = q.json();
  gantry::field_errors errors;
  const std::string locale = locale_in(body, errors);
  template_source source;
  take_parts(body, true, source, errors);
  if (!errors.empty()) return invalid_template(errors);
  const auto compiled = compile(*about, locale, std::move(source), errors);
  if (!compiled) return invalid_template(errors);

  return ctx.write([draft = *compiled, expected = q.header("if-match")](gantry::tx& t) -> gantry::reply {
    const template_ptr current = find_template(t, draft.about(), draft.locale());
    const std::int64_t known = current ? current->version() : 0;
    if (expected && *expected != "*" && *expected != etag_of(known)) {
      return gantry::precondition_failed("The current version is " + etag_of(known) + ", If-Match says " +
                                         std::string(*expected) + ".");
    }
    const message_template saved = draft.numbered(known + 1);
    insert_template(t, saved, t.now());
    gantry::json_writer event;
    event.object();
    write_source(event, saved);
    event.end();
    t.emit(schemas::topic, "TemplateSaved", name_of(saved.about()), event);
    return template_reply(saved);
  });
}

gantry::reply preview_template(const gantry::request& q, gantry::context& ctx) {
  const auto about = notice_of(q.path("name"));
  if (!about) return no_such_template(q);
  const gantry::json_view body = q.json();
  gantry::field_errors errors;
  const std::string locale = locale_in(body, errors);
  template_source source;
  if (const template_ptr current = find_template(ctx.read(), *about, locale)) source = current->source();
  take_parts(body, false, source, errors);
  if (!errors.empty()) return invalid_template(errors);
  const auto compiled = compile(*about, locale, std::move(source), errors);
  if (!compiled) return invalid_template(errors);

  const auto sample = gantry::json_document::parse(sample_of(*about));
  const gantry::json_view data = body["data"] ? body["data"] : sample.root();
  std::string missing;
  const auto message = compiled->render(data, missing);
  if (!message) return invalid_template({{"data." + missing, "must be given: the template uses it"}});
  gantry::json_writer out;
  out.object()
      .field("subject", message->subject)
      .field("text", message->text)
      .field("html", message->html)
      .field("short", message->brief)
      .end();
  return {200, gantry::json(std::move(out))};
}

void take_saved(const gantry::event* e, template_cache& cache) {
  if (e == nullptr) return cache.forget();
  const gantry::json_view data = e->data();
  const auto about = notice_of(data["name"].text());
  if (!about) return;
  template_source source;
  for (const part& p : parts) source.*p.member = data[p.name].text();
  std::vector<template_error> errors;
  auto saved =
      message_template::compile(*about, data["locale"].text(), data["version"].integer(1), std::move(source), errors);
  // A version that this build can't compile was saved by one that can; the store is asked for it when it is needed.
  if (!saved) return cache.forget();
  cache.put(std::make_shared<const message_template>(std::move(*saved)));
}

}  // namespace notification
