#include "ir/core/constant_files.h"

#include "absl/strings/str_cat.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

namespace lindero::ir {

namespace {

std::string pathOf(llvm::StringRef folder, const Constant& constant) {
  llvm::SmallString<256> path = folder;
  llvm::sys::path::append(path, constant.sha256() + ".bin");
  return std::string(path);
}

absl::Status writeFile(const std::string& path, llvm::ArrayRef<uint8_t> bytes) {
  llvm::SmallString<256> temporary;
  std::error_code error = llvm::sys::fs::createUniqueFile(path + ".%%%%%%", temporary);
  if (!error) {
    llvm::raw_fd_ostream os(temporary, error);
    if (!error) {
      os.write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      os.close();
      error = os.error();
      os.clear_error();
    }
  }
  if (!error) error = llvm::sys::fs::rename(temporary, path);
  if (!error) return absl::OkStatus();
  llvm::sys::fs::remove(temporary);
  return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", error.message()));
}

}  // namespace

absl::Status saveConstants(const Module& module, llvm::StringRef folder) {
  if (std::error_code error = llvm::sys::fs::create_directories(folder)) {
    return absl::UnavailableError(
        absl::StrCat("cannot make the folder ", folder.str(), ": ", error.message()));
  }
  for (const Constant* constant : module.constants().constants()) {
    std::string path = pathOf(folder, *constant);
    if (constant->declaredOnly() || llvm::sys::fs::exists(path)) continue;
    if (absl::Status status = writeFile(path, constant->bytes); !status.ok()) return status;
  }
  return absl::OkStatus();
}

ConstantLoader loadConstantsFrom(std::string folder) {
  return [folder = std::move(folder)](const Constant& declared) -> absl::StatusOr<Constant> {
    std::string path = pathOf(folder, declared);
    auto file =
        llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!file) {
      return absl::NotFoundError(absl::StrCat("the bytes of @", declared.name, " are not in ", path,
                                              ": ", file.getError().message()));
    }
    std::shared_ptr<const llvm::MemoryBuffer> buffer = std::move(*file);
    size_t expected = declared.elements() * scalarSize(declared.scalar);
    if (buffer->getBufferSize() != expected) {
      return absl::DataLossError(absl::StrCat(path, " has ", buffer->getBufferSize(),
                                              " bytes, but @", declared.name, " has ", expected));
    }
    Constant constant;
    constant.name = declared.name;
    constant.scalar = declared.scalar;
    constant.shape = declared.shape;
    constant.bytes = {reinterpret_cast<const uint8_t*>(buffer->getBufferStart()), expected};
    constant.owner = std::move(buffer);
    if (constant.sha256() != declared.sha256()) {
      return absl::DataLossError(absl::StrCat("the bytes of ", path, " have another digest, ",
                                              constant.sha256(), ": the file is damaged"));
    }
    return constant;
  };
}

}  // namespace lindero::ir
