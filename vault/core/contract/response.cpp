#include "vault/core/contract/response.h"

#include "vault/core/contract/request.h"

namespace leasehold::core {

std::string_view operation_name(Operation operation) {
  switch (operation) {
    case Operation::read:
      return "read";
    case Operation::list:
      return "list";
    case Operation::create:
      return "create";
    case Operation::update:
      return "update";
    case Operation::patch:
      return "patch";
    case Operation::remove:
      return "delete";
    case Operation::help:
      return "help";
    case Operation::head:
      return "header";
    case Operation::scan:
      return "scan";
  }
  return "";
}

// A renewal answers without data, and hands out nothing new.
Issued issued_by(const Response& answer) {
  Issued issued = answer.inside.value_or(Issued());
  if (answer.wrap) issued.wrapping_accessor = answer.wrap->accessor;
  if (answer.inside) return issued;
  if (!answer.data.empty()) issued.lease_id = answer.lease_id;
  if (answer.auth && !answer.auth->renewed) issued.accessor = answer.auth->accessor;
  return issued;
}

Response Response::of(const Json& data) {
  Response response;
  std::string text = data.dump();
  response.data = SecretBytes(text);
  wipe(text);
  return response;
}

Response Response::of_text(SecretBytes json_text) {
  Response response;
  response.data = std::move(json_text);
  return response;
}

Response Response::bare(int status, const Json& data) {
  Response response = of(data);
  response.status = status;
  response.form = Form::bare;
  return response;
}

Response Response::refused(int status, std::string message) {
  Response response;
  response.status = status;
  response.is_error = true;
  if (!message.empty()) response.errors.push_back(std::move(message));
  return response;
}

Response Response::of_login(Login login) {
  Response response;
  response.orders.login = std::move(login);
  return response;
}
Response Response::refused_login(std::string message, std::string reason) {
  Response response = refused(400, std::move(message));
  response.reason = std::move(reason);
  response.orders.login_refused = true;
  return response;
}
Response Response::keys(const std::vector<std::string>& names) {
  if (names.empty()) return refused(404, "");
  Json data = Json::object();
  data.set("keys", Json(names));
  return of(data);
}

std::string multierror(std::string_view message) {
  std::string text = "1 error occurred:\n\t* ";
  text += message;
  text += "\n\n";
  return text;
}

namespace {

struct StatusRow {
  Code code;
  int status;
};
constexpr StatusRow kStatuses[] = {
    {Code::invalid, 400},     {Code::denied, 403},   {Code::not_found, 404},
    {Code::unsupported, 405}, {Code::conflict, 503}, {Code::unavailable, 503},
    {Code::busy, 503},        {Code::limited, 429},  {Code::deadline, 500},
    {Code::no_space, 507},    {Code::internal, 500},
};

}  // namespace

Response error_response(const Error& error) {
  for (const StatusRow& row : kStatuses) {
    if (row.code != error.code) continue;
    Response response = Response::refused(row.status, error.message);
    if (error.code == Code::denied) response.reason = error.detail;
    // A failure of ours reads as Go's multierror, as every client of Vault knows it.
    if (row.status == 500 && !error.message.starts_with("1 error"))
      response.errors = {multierror(error.message.empty() ? "internal error" : error.message)};
    if (row.status == 503 || row.status == 429) response.retry_after = Seconds{1};
    return response;
  }
  return Response::refused(500, multierror("internal error"));
}

}  // namespace leasehold::core
