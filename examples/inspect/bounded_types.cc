#include "examples/inspect/bounded_types.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "examples/inspect/descriptor_errors.h"

namespace inspect {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

constexpr int kMostImports = 500;
constexpr std::size_t kMostTypes = 4000;
constexpr std::size_t kMostName = 1024;

// One file among the others.
struct Node {
  const FileDescriptorProto* file = nullptr;
  // Those that import it.
  std::vector<Node*> importers = {};
  // Imports, of those that are here, whose own are still to be counted.
  std::size_t open = 0;
  // Files that it goes through to the end, itself included.
  int depth = 1;
};

std::deque<Node> Nodes(const FileDescriptorSet& files) {
  std::deque<Node> nodes;
  std::map<absl::string_view, Node*> by_name;
  for (const FileDescriptorProto& file : files.file()) {
    if (by_name.count(file.name()) > 0) continue;
    nodes.push_back({&file});
    by_name[file.name()] = &nodes.back();
  }
  for (Node& node : nodes) {
    for (const std::string& import : node.file->dependency()) {
      const auto found = by_name.find(import);
      if (found == by_name.end()) continue;
      found->second->importers.push_back(&node);
      ++node.open;
    }
  }
  return nodes;
}

}  // namespace

std::vector<const FileDescriptorProto*> BoundedFiles(
    const FileDescriptorSet& files, BuildErrors* errors) {
  std::deque<Node> nodes = Nodes(files);
  std::vector<Node*> ready;
  for (Node& node : nodes) {
    if (node.open == 0) ready.push_back(&node);
  }
  std::vector<const FileDescriptorProto*> bounded;
  while (!ready.empty()) {
    const Node& node = *ready.back();
    ready.pop_back();
    if (node.depth > kMostImports || !IsShortName(node.file->package())) {
      // It stays open for those that import it.
      continue;
    }
    bounded.push_back(node.file);
    for (Node* importer : node.importers) {
      importer->depth = std::max(importer->depth, node.depth + 1);
      if (--importer->open == 0) ready.push_back(importer);
    }
  }
  const std::set<const FileDescriptorProto*> taken(bounded.begin(),
                                                   bounded.end());
  for (const Node& node : nodes) {
    if (taken.count(node.file) > 0) continue;
    errors->Add(absl::StrCat(node.file->name(),
                             ": left out: its package's name is too long, or "
                             "its imports go on too far, or come back to it"));
  }
  return bounded;
}

bool HoldsFewTypes(const Descriptor& type) {
  std::set<const Descriptor*> seen = {&type};
  std::vector<const Descriptor*> open = {&type};
  while (!open.empty() && seen.size() <= kMostTypes) {
    const Descriptor& next = *open.back();
    open.pop_back();
    for (int i = 0; i < next.field_count(); ++i) {
      const Descriptor* held = next.field(i)->message_type();
      if (held != nullptr && seen.insert(held).second) open.push_back(held);
    }
  }
  return seen.size() <= kMostTypes;
}

bool IsShortName(absl::string_view name) { return name.size() <= kMostName; }

}  // namespace inspect
