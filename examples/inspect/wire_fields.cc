#include "examples/inspect/wire_fields.h"

#include <google/protobuf/io/coded_stream.h>

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace inspect {
namespace {

using Kind = WireField::Kind;

// Protobuf's wire types.
enum WireType : std::uint32_t {
  kVarintType = 0,
  kFixed64Type = 1,
  kBytesType = 2,
  kStartGroupType = 3,
  kEndGroupType = 4,
  kFixed32Type = 5,
};

// Reads a message from its start.
class Reader {
 public:
  explicit Reader(absl::string_view text)
      : text_(text),
        stream_(reinterpret_cast<const std::uint8_t*>(text.data()),
                static_cast<int>(text.size())) {}

  bool AtEnd() const { return Position() == text_.size(); }

  // False for what can't be read.
  bool ReadTag(std::uint32_t* tag) {
    *tag = stream_.ReadTag();
    return (*tag >> 3) != 0;
  }

  // The value of a field of any type but the end of a group.
  bool ReadValue(std::uint32_t tag, WireField* field) {
    switch (tag & 7) {
      case kVarintType:
        return ReadNumber(Kind::kVarint, field);
      case kFixed32Type:
        return ReadNumber(Kind::kFixed32, field);
      case kFixed64Type:
        return ReadNumber(Kind::kFixed64, field);
      case kBytesType:
        return ReadBytes(field);
      case kStartGroupType:
        return ReadGroup(tag >> 3, field);
      default:
        return false;
    }
  }

  bool ReadNumber(Kind kind, WireField* field) {
    field->kind = kind;
    if (kind == Kind::kVarint) return stream_.ReadVarint64(&field->value);
    if (kind == Kind::kFixed64) {
      return stream_.ReadLittleEndian64(&field->value);
    }
    std::uint32_t value = 0;
    const bool read = stream_.ReadLittleEndian32(&value);
    field->value = value;
    return read;
  }

 private:
  std::size_t Position() const {
    return static_cast<std::size_t>(stream_.CurrentPosition());
  }

  bool ReadBytes(WireField* field) {
    std::uint32_t size = 0;
    if (!stream_.ReadVarint32(&size)) return false;
    const std::size_t start = Position();
    if (size > text_.size() - start) return false;
    field->kind = Kind::kBytes;
    field->bytes = text_.substr(start, size);
    return stream_.Skip(static_cast<int>(size));
  }

  // Groups within it as well, however deep they are.
  bool ReadGroup(std::uint32_t number, WireField* field) {
    const std::size_t start = Position();
    std::vector<std::uint32_t> open = {number};
    while (!open.empty()) {
      const std::size_t before = Position();
      std::uint32_t tag = 0;
      if (!ReadTag(&tag)) return false;
      WireField inner;
      if ((tag & 7) == kStartGroupType) {
        open.push_back(tag >> 3);
      } else if ((tag & 7) != kEndGroupType) {
        if (!ReadValue(tag, &inner)) return false;
      } else {
        if (open.back() != tag >> 3) return false;
        open.pop_back();
        field->bytes = text_.substr(start, before - start);
      }
    }
    field->kind = Kind::kGroup;
    return true;
  }

  const absl::string_view text_;
  google::protobuf::io::CodedInputStream stream_;
};

}  // namespace

bool ReadFields(absl::string_view message, std::vector<WireField>* fields) {
  Reader reader(message);
  while (!reader.AtEnd()) {
    std::uint32_t tag = 0;
    WireField field;
    if (!reader.ReadTag(&tag) || !reader.ReadValue(tag, &field)) return false;
    field.number = static_cast<int>(tag >> 3);
    fields->push_back(field);
  }
  return true;
}

bool ReadPacked(absl::string_view packed, WireField::Kind kind,
                absl::FunctionRef<void(const WireField&)> visit) {
  Reader reader(packed);
  while (!reader.AtEnd()) {
    WireField field;
    if (!reader.ReadNumber(kind, &field)) return false;
    visit(field);
  }
  return true;
}

}  // namespace inspect
