// What a listener shows to callers without a token, where its stanza says so.

#include "vault/core/sys/open_pages.h"

#include <doctest/doctest.h>

#include <thread>

#include "tests/support/exposition.h"
#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Exposition;
using testing::TestVault;
using testing::TestWorld;
using Page = core::OpenPages::Page;

namespace {

// A loop of its own, as an io thread has one, that asks once.
class Asker final : public core::Exchange {
 public:
  Asker(TestVault& vault, Page page, const std::string& format)
      : loop_(vault.world().clock),
        pages_(vault.lifecycle(), vault.workers(), vault.world().clock),
        page_(page) {
    request_.path = "sys/metrics";
    request_.body = Json::object().set("format", format);
    begin_.owner = this;
    begin_.home = &loop_;
    begin_.resume = [](Waiter* waiter) {
      Asker* self = static_cast<Begin*>(waiter)->owner;
      self->pages_.show(self->page_, self->request_, *self);
    };
    loop_.live = 1;
    loop_.post(&begin_);
    loop_.stop();
    std::thread([this] { loop_.run(); }).join();
  }
  void deliver(core::Response&& answer) override {
    CHECK(Loop::current() == &loop_);
    answer_ = testing::Answer(std::move(answer));
    --loop_.live;
  }
  const testing::Answer& answer() const { return answer_; }
  std::string text() const { return std::string(as_text(answer_.response().data.reveal())); }

 private:
  struct Begin : Waiter {
    Asker* owner = nullptr;
  };
  Loop loop_;
  core::OpenPages pages_;
  const Page page_;
  core::Request request_;
  Begin begin_;
  testing::Answer answer_;
};

}  // namespace

TEST_CASE("open pages: metrics without a token, of an open vault and of a sealed one") {
  TestWorld world;
  TestVault vault(world);
  const Asker open(vault, Page::metrics, "prometheus");
  CHECK(open.answer().status() == 200);
  const Exposition page(open.text());
  CHECK(page.problems().empty());
  CHECK(page.any("vault_core_unsealed") == 1);
  CHECK(page.any("vault_token_count"));
  CHECK(page.any("vault_core_handle_request_count"));
  vault.seal();
  const Asker sealed(vault, Page::metrics, "prometheus");
  CHECK(sealed.answer().status() == 200);
  const Exposition rest(sealed.text());
  CHECK(rest.problems().empty());
  CHECK(rest.any("vault_core_unsealed") == 0);
  CHECK(!rest.any("vault_token_count"));
  CHECK(rest.any("process_cpu_seconds_total"));
  CHECK(Asker(vault, Page::metrics, "xml").answer().status() == 400);
}

TEST_CASE("open pages: the requests that are being answered") {
  TestVault vault;
  const Asker asker(vault, Page::requests, "");
  CHECK(asker.answer().status() == 200);
  CHECK(asker.text() == "{}");
}
