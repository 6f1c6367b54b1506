// JSON of the parts that claim and model record share.
#ifndef LINDERO_RUNTIME_CLAIM_MODEL_FIELDS_H_
#define LINDERO_RUNTIME_CLAIM_MODEL_FIELDS_H_

#include "runtime/claim/fields.h"
#include "runtime/claim/model_record.h"

namespace lindero::runtime {

template <>
struct Fields<ExternalFile> {
  static void visit(auto& each, auto& file) {
    each("name", file.name);
    each("sha256", file.sha256);
  }
};

// Names are not empty, and ascend.
absl::Status checkExternal(const std::vector<ExternalFile>& files, absl::string_view where);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_MODEL_FIELDS_H_
