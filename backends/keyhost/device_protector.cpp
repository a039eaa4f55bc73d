#include "backends/keyhost/device_protector.h"

#include "vault/base/environment.h"

namespace leasehold::keyhost {

using seal::HostCall;
using seal::Reply;
using seal::Request;

namespace {

Request about(const seal::SlotRecord& slot, HostCall operation) {
  Request request;
  request.operation = operation;
  request.context = seal::context_of(slot);
  request.identity = slot.identity;
  request.policy = slot.policy;
  return request;
}

}  // namespace

void DeviceProtector::works(const DeviceAnswer& answer) const {
  if (answer.ok() && !names_.pin_variable.empty()) forget_in_environment(names_.pin_variable);
}

seal::Enrolled DeviceProtector::enroll(const SlotContext& context, Millis timeout) {
  Request request;
  request.operation = HostCall::enroll;
  request.context = context;
  Reply reply = host_->call(std::move(request), timeout);
  works(reply.answer);
  return {std::move(reply.answer), std::move(reply.secret), std::move(reply.identity),
          std::move(reply.policy)};
}

seal::Recovered DeviceProtector::recover(const seal::SlotRecord& slot, Millis timeout) {
  Reply reply = host_->call(about(slot, HostCall::recover), timeout);
  if (reply.answer.ok() && reply.secret.size() != crypto::kKeySize)
    return {answer(DeviceState::failed, "the key host answered without a key"), {}};
  works(reply.answer);
  return {std::move(reply.answer), std::move(reply.secret)};
}

DeviceAnswer DeviceProtector::health(const seal::SlotRecord& slot, Millis timeout) {
  return host_->call(about(slot, HostCall::health), timeout).answer;
}

DeviceAnswer DeviceProtector::presence(Millis timeout) {
  Request request;
  request.operation = HostCall::presence;
  return host_->call(std::move(request), timeout).answer;
}

seal::Recovered DeviceProtector::random(std::uint16_t count, Millis timeout) {
  Request request;
  request.operation = HostCall::random;
  request.count = count;
  Reply reply = host_->call(std::move(request), timeout);
  return {std::move(reply.answer), std::move(reply.secret)};
}

}  // namespace leasehold::keyhost
