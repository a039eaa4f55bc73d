#pragma once
// A physical copy of a server (a base backup, a restored snapshot) names itself as the original
// does. So when a configuration leads to another address where the same server seems to answer, the
// address from before is asked as well: while a server that takes changes answers there with that
// name, too, these are taken for two. Thread safety: a target's.

#include <memory>
#include <string>

#include "vault/base/json.h"
#include "vault/target/target.h"

namespace leasehold::engine::database {

// The same host and port, whatever else the two settings say.
bool same_address(const Json& settings, const Json& other);

// `next`, whose connections name themselves as `next` does, or with a mark where the server of
// `before`, known as `name`, answers beside it.
std::unique_ptr<target::Target> beside(std::unique_ptr<target::Target> next,
                                       std::unique_ptr<target::Target> before, std::string name,
                                       Clock& clock);
// Whether a name bears that mark, which is taken off.
bool take_twin_mark(std::string& name);

}  // namespace leasehold::engine::database
