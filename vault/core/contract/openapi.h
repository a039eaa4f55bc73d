#pragma once
// Tables of routes as one OpenAPI 3.0 document, for sys/internal/specs/openapi and for the help of
// a path.
//
//   OpenApi document;
//   document.add({"kv/", "kv", "kv/", ""}, route);   // for each route
//   return Response::bare(200, document.take());
//
// Not thread-safe: a document is made by one thread.

#include <set>
#include <string>

#include "vault/core/contract/engine.h"

namespace leasehold::core {

class OpenApi {
 public:
  // Where a route is found. `root` begins its path in the document: the mount's path, or a template
  // of it, whose parameter is `mount_parameter`, or nothing.
  struct Origin {
    std::string mount_path, type, root, mount_parameter;
  };
  // The first of two routes with the same path counts.
  void add(const Origin& origin, const Route& route);
  Json take();

 private:
  Json paths_ = Json::object();
  std::set<std::string> ids_;  // of operations: unique in a document
};

}  // namespace leasehold::core
