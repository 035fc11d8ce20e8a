#include "events/cashier.hpp"

#include "events/job_texts.hpp"

namespace shop::payment {
namespace {

// Why a command can't be charged; empty code if it can.
struct objection {
  std::string_view code;
  std::string_view reason;
};

objection object_to(std::string_view token, gantry::json_view amount, std::string_view currency) {
  if (looks_like_card_number(token)) return {"invalid_token", "a card number is no payment token"};
  if (token.empty() || token.size() > 128) return {"invalid_token", "the payment token is missing or too long"};
  if (!amount.is_int() || amount.integer() < 0) return {"invalid_amount", "the amount is no sum of money"};
  if (currency.size() != 3) return {"invalid_currency", "the currency is no ISO 4217 code"};
  return {};
}

payment_facts facts_of(const payment_row& row, std::string_view payment_id) {
  return {row.order_id, payment_id, row.sums.amount, row.currency, row.provider};
}

}  // namespace

gantry::outcome cashier::process(const gantry::event& event, gantry::tx& tx) {
  const gantry::json_view data = event.data();
  const std::string_view token = data["paymentMethod"]["token"].text();
  const objection refused = object_to(token, data["amount"], data["currency"].text());
  payment_row row;
  row.order_id = event.key();
  row.customer_id = data["customerId"].text();
  row.sums.amount = std::max<std::int64_t>(data["amount"].integer(), 0);
  row.currency = data["currency"].text();
  row.provider = provider_->name();
  row.created_us = tx.now().us;
  row.code = refused.code;
  row.reason = refused.reason;
  if (!refused.code.empty()) {
    row.status = payment_status::failed;
  } else if (row.sums.amount == 0) {
    row.status = payment_status::captured;  // nothing to pay: no provider is asked
    row.reference = "none";
  }
  if (!insert_payment(tx, row)) {
    answer_again(tx, row.order_id);
    return gantry::ok;
  }
  const std::string id = payment_id_of(row.order_id);
  emit_initiated(tx, facts_of(row, id));
  if (row.status == payment_status::failed) {
    emit_failed(tx, row.order_id, id, row.code, row.reason);
  } else if (row.status == payment_status::captured) {
    emit_processed(tx, facts_of(row, id), row.reference);
  } else {
    tx.schedule(charge_job, charge_text({id, row.order_id, row.sums.amount, row.currency, token, {}}),
                {.key = id, .new_key = true});
  }
  return gantry::ok;
}

// The saga sent its command twice, or an order was called off before its command came.
void cashier::answer_again(gantry::tx& tx, std::string_view order_id) {
  const auto row = load_payment(tx, order_id);
  if (!row) return;
  const std::string id = payment_id_of(order_id);
  switch (answer_repeat(row->status)) {
    case repeat_answer::none:
      return;
    case repeat_answer::processed:
      return emit_processed(tx, facts_of(*row, id), row->reference);
    case repeat_answer::failed:
      return emit_failed(tx, order_id, id, row->code, row->reason);
    case repeat_answer::refused:
      return emit_failed(tx, order_id, id, "cancelled", "the payment was called off");
  }
}

gantry::outcome cashier::refund(const gantry::event& event, gantry::tx& tx) {
  auto row = load_payment(tx, event.key());
  if (!row) {
    // The tombstone refuses a ProcessPayment that comes late.
    payment_row tombstone;
    tombstone.order_id = event.key();
    tombstone.status = payment_status::cancelled;
    tombstone.provider = provider_->name();
    tombstone.created_us = tx.now().us;
    insert_payment(tx, tombstone);
    emit_refunded(tx, {event.key(), {}, 0, {}, 0, true});
    return gantry::ok;
  }
  const gantry::json_view amount = event.data("amount");
  const auto wanted = amount.is_int() && amount.integer() > 0 ? std::optional(amount.integer()) : std::nullopt;
  const refund_plan plan = plan_refund(row->status, row->sums, wanted);
  switch (plan.kind) {
    case refund_kind::call_off:
      call_off(tx, *row);
      break;
    case refund_kind::nothing:
      if (row->status == payment_status::captured) call_off(tx, *row);  // an order that cost nothing
      break;
    case refund_kind::under_way:
      return gantry::ok;
    case refund_kind::done_before:
      emit_refunded(tx, {row->order_id, payment_id_of(row->order_id), 0, row->currency, row->sums.refunded, true});
      return gantry::ok;
    case refund_kind::pay_back:
      begin_refund(tx, *row, plan.amount, event.data("reason").text());
      return gantry::ok;
  }
  emit_refunded(tx, {row->order_id, {}, 0, row->currency, 0, true});
  return gantry::ok;
}

// A charge that has begun already goes on; if it succeeds, settle_payment gives the money back.
void cashier::call_off(gantry::tx& tx, payment_row& row) {
  tx.cancel(charge_job, payment_id_of(row.order_id));
  row.status = payment_status::cancelled;
  row.code = "cancelled";
  row.reason = "the payment was called off";
  save_payment(tx, row, tx.now().us);
}

void cashier::begin_refund(gantry::tx& tx, payment_row& row, std::int64_t amount, std::string_view reason) {
  row.sums.refund_pending += amount;
  save_payment(tx, row, tx.now().us);
  const std::string id = payment_id_of(row.order_id);
  tx.schedule(refund_job, refund_text({id, row.order_id, amount, row.currency, row.reference, reason}));
}

std::string cashier::run_charge(const gantry::job& job, gantry::context&) {
  const auto document = gantry::json_document::parse(job.payload());
  const charge_payload payload = read_charge(document.root());
  const charge_request charge{payload.payment_id, payload.order_id, payload.amount,
                              payload.currency,   payload.token,    job.attempt()};
  if (!payload.reference.empty()) return answer_text(provider_->capture(charge, payload.reference));
  const provider_answer answer = provider_->authorise(charge);
  if (answer.verdict != provider_verdict::authorised) return answer_text(answer);
  return answer_text(provider_->capture(charge, answer.reference));
}

void cashier::charge_done(const gantry::job& job, std::string_view result, gantry::tx& tx) {
  const auto document = gantry::json_document::parse(job.payload());
  const charge_payload payload = read_charge(document.root());
  const provider_answer answer = read_answer_text(result);
  // The usual case: the payload knows all that the event tells, so one statement does.
  if (answer.verdict == provider_verdict::captured &&
      take_if_open(tx, payload.order_id, answer.reference, tx.now().us)) {
    emit_processed(tx, {payload.order_id, payload.payment_id, payload.amount, payload.currency, provider_->name()},
                   answer.reference);
    return;
  }
  settle_payment(tx, payload.order_id, answer);
  for (const std::chrono::microseconds delay : answer.callbacks) {
    provider_answer callback;
    callback.verdict = provider_verdict::captured;
    callback.reference = answer.reference;
    tx.schedule(callback_job, callback_text(payload.order_id, callback), {tx.now() + delay, {}});
  }
}

// Whether the provider took the money is not known. Should it tell later that it did, it is given back.
void cashier::charge_failed(const gantry::job& job, std::string_view error, gantry::tx& tx) {
  const auto document = gantry::json_document::parse(job.payload());
  const charge_payload payload = read_charge(document.root());
  provider_answer answer;
  answer.verdict = provider_verdict::declined;
  answer.code = "provider_unavailable";
  answer.reason = "the payment provider could not be reached";
  host_.log().warn("A payment is given up: its provider did not answer.",
                   {{"payment", payload.payment_id}, {"error", error}});
  settle_payment(tx, payload.order_id, answer);
}

std::string cashier::run_callback(const gantry::job& job, gantry::context&) {
  return std::string(job.payload());  // the payload is what the provider tells
}

bool cashier::settle_payment(gantry::tx& tx, std::string_view order_id, const provider_answer& answer) {
  auto row = load_payment(tx, order_id);
  if (!row) return false;
  const std::string id = payment_id_of(order_id);
  switch (settle(row->status, answer.verdict)) {
    case settlement::ignore:
      break;
    case settlement::await:
      row->reference = answer.reference;
      save_payment(tx, *row, tx.now().us);
      break;
    case settlement::capture:
      row->reference = answer.reference;
      save_payment(tx, *row, tx.now().us);
      tx.schedule(charge_job, charge_text({id, row->order_id, row->sums.amount, row->currency, {}, answer.reference}),
                  {{}, id});
      break;
    case settlement::take:
      row->status = payment_status::captured;
      row->sums.captured = row->sums.amount;
      row->reference = answer.reference.empty() ? row->reference : answer.reference;
      save_payment(tx, *row, tx.now().us);
      emit_processed(tx, facts_of(*row, id), row->reference);
      break;
    case settlement::fail:
      row->status = payment_status::failed;
      row->code = answer.code;
      row->reason = answer.reason;
      save_payment(tx, *row, tx.now().us);
      emit_failed(tx, order_id, id, row->code, row->reason);
      break;
    case settlement::give_back:
      row->status = payment_status::captured;
      row->sums.captured = row->sums.amount;
      row->reference = answer.reference.empty() ? row->reference : answer.reference;
      host_.log().warn("A payment that was given up has succeeded; it is refunded.", {{"payment", id}});
      begin_refund(tx, *row, row->sums.captured, "the payment succeeded after it was given up");
      break;
  }
  return true;
}

std::string cashier::run_refund(const gantry::job& job, gantry::context&) {
  const auto document = gantry::json_document::parse(job.payload());
  const refund_payload payload = read_refund(document.root());
  return provider_->refund({job.id(), payload.payment_id, payload.reference, payload.amount, payload.currency});
}

void cashier::refund_done(const gantry::job& job, std::string_view, gantry::tx& tx) {
  const auto document = gantry::json_document::parse(job.payload());
  const refund_payload payload = read_refund(document.root());
  const auto row = finish_refund(tx, payload.order_id, payload.amount, tx.now().us);
  if (!row) throw gantry::failure(GANTRY_REJECT, "no refund is pending for payment " + std::string(payload.payment_id));
  const bool full = row->sums.refunded == row->sums.captured;
  emit_refunded(tx, {row->order_id, payload.payment_id, payload.amount, row->currency, row->sums.refunded, full});
}

void cashier::refund_failed(const gantry::job& job, std::string_view error, gantry::tx& tx) {
  const auto document = gantry::json_document::parse(job.payload());
  const refund_payload payload = read_refund(document.root());
  drop_refund(tx, payload.order_id, payload.amount, tx.now().us);
  host_.log().error("A refund could not be paid; a person must look at it, unless it is asked for again.",
                    {{"payment", payload.payment_id}, {"amount", payload.amount}, {"error", error}});
}

}  // namespace shop::payment
