#include "vault/core/sys/open_pages.h"

#include <memory>

#include "vault/core/road/gate.h"
#include "vault/core/road/workers.h"
#include "vault/core/sys/areas.h"
#include "vault/core/sys/metrics.h"

namespace leasehold::core {

struct OpenPages::Task : WorkerTask {
  Task(OpenPages& pages, Page page, const Request& request, Exchange& exchange)
      : home_of(pages), wanted(page), address(request.remote_address), to(exchange) {
    if (request.body.is_object()) format = request.body.string_at("format");
    home = Loop::current();
    Waiter::resume = &Task::finish;
    work = &Task::read;
    asker = address;
  }

  static void read(WorkerTask* task) {
    auto* self = static_cast<Task*>(task);
    self->answer = self->made();
  }
  static void finish(Waiter* waiter) {
    const std::unique_ptr<Task> self(static_cast<Task*>(waiter));
    if (!self->refused.ok()) self->answer = error_response(self->refused.error());
    self->to.deliver(std::move(self->answer));
  }

  Response made() {
    if (wanted == Page::requests) return show_in_flight();
    Unsealed* live = home_of.gate_.enter();
    auto page = show_metrics(live, format, home_of.clock_.now());
    if (live != nullptr) home_of.gate_.leave();
    return page.ok() ? std::move(page).value() : error_response(page.error());
  }

  OpenPages& home_of;
  const Page wanted;
  std::string format;
  const std::string address;
  Exchange& to;
  Response answer;
};

void OpenPages::show(Page page, const Request& request, Exchange& asker) {
  auto task = std::make_unique<Task>(*this, page, request, asker);
  if (workers_.submit(WorkClass::lists, task.get()))
    (void)task.release();  // finish() has it
  else
    asker.deliver(error_response(task->refused.error()));
}

}  // namespace leasehold::core
