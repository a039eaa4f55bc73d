#include <httplib.h>
#include <poll.h>

#include <algorithm>

#include "api/client/answer_head.h"
#include "api/client/answer_stream.h"
#include "api/client/dial.h"
#include "api/client/tls.h"
#include "api/client/transport.h"
#include "vault/base/encoding.h"

namespace leasehold::client {
namespace {

// The library's HTTP over a stream of ours: it opens no connection, and knows of no proxy.
class Codec final : public httplib::ClientImpl {
 public:
  Codec() : ClientImpl("localhost") {
    set_url_encode(false);  // `target` is escaped already
    set_decompress(false);
  }
  using ClientImpl::process_request;
};

struct Connection {
  std::string origin;  // of the server that it leads to
  Descriptor socket;
  TlsSession tls;  // null: plain

  // An answer that was not asked for, or an end, is nothing to go on from.
  bool is_idle() const {
    pollfd watched{socket.get(), POLLIN, 0};
    return ::poll(&watched, 1, 0) == 0;
  }
};

// What may stand in a request's first line. It is sent as it is: a line break would begin another
// request (RFC 9112, section 3.2).
bool is_target(std::string_view target) {
  return target.starts_with('/') &&
         std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 127; });
}

std::string name_of(const Url& server) {
  return server.scheme == Url::Scheme::unix_socket ? server.host : server.authority();
}

class HttpTransport final : public Transport {
 public:
  explicit HttpTransport(const Settings& settings) : settings_(settings) {}

  Result<RawResponse> exchange(const Url& server, const RawRequest& request) override {
    if (!is_target(request.target))
      return failure(Code::invalid,
                     "the request was not sent: its URL has a blank, a line break or "
                     "another character that has to be escaped");
    deadline_ = Deadline(clock_, settings_.timeout);
    if (connection_.origin != server.origin() || !connection_.is_idle()) {
      connection_ = {};
      VAULT_TRY_ASSIGN(connection_, connect(server));
    }
    httplib::Request outgoing = to_httplib(server, request);
    RawResponse response;
    outgoing.content_receiver = [&](const char* data, std::size_t size, std::uint64_t,
                                    std::uint64_t) {
      if (response.body.size() + size > kResponseBytesMax)
        progress_.too_large = "the answer is larger than 64 MiB";
      else
        response.body.append(data, size);
      return progress_.too_large.empty();
    };
    const auto answer = ask(server, connection_, outgoing);
    wipe(outgoing.body);
    if (!answer.ok() || is_last(*answer)) connection_ = {};
    if (!answer.ok()) return answer.error();
    if (answer->status == 407 && is_relayed(server)) return refused_by_proxy(server, 407);
    response.status = answer->status;
    response.content_type = field("content-type");
    response.location = field("location");
    response.retry_after = field("retry-after");
    response.warnings = fields_named(progress_.head, "warning");
    response.request_id = field("x-leasehold-request-id");
    return response;
  }

 private:
  // Plain HTTP to a proxy, which passes on what it is asked.
  bool is_relayed(const Url& server) const {
    return settings_.proxy && server.scheme == Url::Scheme::http;
  }

  std::string field(std::string_view name) const {
    auto values = fields_named(progress_.head, name);
    return values.empty() ? std::string() : std::move(values.front());
  }

  bool is_last(const httplib::Response& answer) const {
    return answer.version != "HTTP/1.1" ||
           lower_case(field("connection")).find("close") != std::string::npos;
  }

  Result<Connection> connect(const Url& server) {
    if (server.scheme == Url::Scheme::unix_socket) {
      VAULT_TRY_ASSIGN(Descriptor socket, dial_unix(server.host, deadline_));
      return Connection{server.origin(), std::move(socket), {}};
    }
    const bool is_tls = server.scheme == Url::Scheme::https;
    const std::string& name =
        settings_.tls_server_name.empty() ? server.host : settings_.tls_server_name;
    TlsContext context;
    if (is_tls) {
      VAULT_TRY_ASSIGN(context, make_tls_context(settings_, name));
    }
    const auto& proxy = settings_.proxy;
    VAULT_TRY_ASSIGN(Descriptor socket,
                     dial(proxy ? proxy->host : server.host, proxy ? proxy->port : server.port,
                          way_to(server), deadline_));
    Connection connection{server.origin(), std::move(socket), {}};
    if (!is_tls) return connection;
    if (proxy) VAULT_TRY(open_tunnel(server, connection));
    VAULT_TRY_ASSIGN(connection.tls,
                     begin_tls(context, name, connection.socket.get(), way_to(server), deadline_));
    return connection;
  }

  // Asks the proxy for a way to the server (RFC 9110, section 9.3.6).
  Status open_tunnel(const Url& server, const Connection& connection) {
    httplib::Request request;
    request.method = "CONNECT";
    request.path = server.authority();
    request.set_header("Host", server.authority());
    name_user(request);
    VAULT_TRY_ASSIGN(const auto answer, ask(server, connection, request));
    if (answer.status >= 200 && answer.status < 300) return {};
    return refused_by_proxy(server, answer.status);
  }

  void name_user(httplib::Request& request) const {
    const Proxy& proxy = *settings_.proxy;
    if (!proxy.user.empty())
      request.headers.insert(
          httplib::make_basic_authentication_header(proxy.user, proxy.password, true));
  }

  httplib::Request to_httplib(const Url& server, const RawRequest& request) {
    httplib::Request outgoing;
    outgoing.method = request.method;
    outgoing.path = request.target;
    for (const auto& header : request.headers) outgoing.headers.insert(header);
    const bool is_socket = server.scheme == Url::Scheme::unix_socket;
    outgoing.set_header("Host", is_socket ? "localhost" : server.authority());
    outgoing.body = request.body;
    if (is_relayed(server)) {
      outgoing.path = server.origin() + request.target;
      name_user(outgoing);
    }
    outgoing.response_handler = [this](const httplib::Response&) {
      return progress_.head_is_over = true;
    };
    return outgoing;
  }

  // Sends a request, and reads its answer whole.
  Result<httplib::Response> ask(const Url& server, const Connection& connection,
                                httplib::Request& request) {
    progress_ = {};
    progress_.reads_ahead = request.method != "CONNECT";
    AnswerStream stream(connection.socket.get(), connection.tls.get(), deadline_, progress_);
    httplib::Response answer;
    httplib::Error error = httplib::Error::Success;
    if (codec_.process_request(stream, request, answer, false, error)) return answer;
    const std::string where = "read " + way_to(server) + ": ";
    if (!progress_.too_large.empty())
      return failure(Code::internal, where + std::string(progress_.too_large));
    if (deadline_.passed())
      return failure(Code::deadline, where + "no whole answer within " +
                                         std::to_string(settings_.timeout.count()) +
                                         " s; VAULT_CLIENT_TIMEOUT sets how long to wait");
    return failure(Code::internal, where + "the connection ended without an answer");
  }

  std::string way_to(const Url& server) const {
    if (!settings_.proxy || server.scheme == Url::Scheme::unix_socket) return name_of(server);
    return name_of(server) + " through the proxy " + settings_.proxy->origin();
  }

  // What it says itself is not repeated: the vault's own answer is read in its place.
  Error refused_by_proxy(const Url& server, int status) const {
    const std::string what = status < 0 ? "not in HTTP" : std::to_string(status);
    return failure(Code::unavailable, "dial " + way_to(server) + ": the proxy answered " + what);
  }

  const Settings& settings_;
  SystemClock clock_;
  Deadline deadline_{clock_, settings_.timeout};
  Codec codec_;
  AnswerProgress progress_;
  Connection connection_;
};

}  // namespace

std::unique_ptr<Transport> make_http_transport(const Settings& settings) {
  return std::make_unique<HttpTransport>(settings);
}

}  // namespace leasehold::client
