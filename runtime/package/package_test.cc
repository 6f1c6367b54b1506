#include "runtime/package/package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "runtime/field/m31.h"
#include "runtime/package/files.h"
#include "runtime/package/package_writer.h"
#include "runtime/package/proto_io.h"
#include "tests/samples/circuit_builder.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

TEST(Package, RoundTrip) {
  testing::Sample sample = testing::linearSample();
  std::string path = testing::freshFolder() + "/model.lindero";
  ASSERT_TRUE(testing::writeSample(sample, path).ok());
  absl::StatusOr<Package> package = Package::open(path);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ(serializeProto(package->circuit()), serializeProto(sample.circuit));
  EXPECT_EQ(serializeProto(package->program()), serializeProto(sample.program));
  EXPECT_EQ(package->circuitDigest(), sha256(serializeProto(sample.circuit)));
  EXPECT_TRUE(package->checkFixedValues().ok());
  for (const testing::FixedValues& fixed : sample.fixed) {
    absl::Span<const uint32_t> column = package->fixedColumn(fixed.table, fixed.column);
    for (size_t i = 0; i < column.size(); ++i) {
      int64_t expected = i < fixed.values.size() ? fixed.values[i] : 0;
      EXPECT_EQ(M31::fromCanonical(column[i]).centered(), expected);
    }
  }
  // x: 4 + w: 3 + y: 2 fixed columns of 8, 2 and 8 rows come before those of "range".
  EXPECT_EQ(package->fixedLayout().offset(3, 1), 4u * 8 + 3 * 2 + 2 * 8 + 512);
  EXPECT_EQ(package->traceLayout().cells(), 2u * 8 + 2 * 8 + 512);
  // Nothing else is left in the folder.
  int entries = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(path).parent_path())) {
    entries += entry.exists();
  }
  EXPECT_EQ(entries, 1);
}

TEST(Package, WriterReplacesPackagesOnly) {
  testing::Sample sample = testing::linearSample();
  std::string folder = testing::freshFolder(), path = folder + "/model.lindero";
  ASSERT_TRUE(testing::writeSample(sample, path).ok());
  ASSERT_TRUE(testing::writeSample(sample, path).ok());
  std::string other = folder + "/precious";
  std::ofstream(other) << "data";
  EXPECT_EQ(testing::writeSample(sample, other).code(), absl::StatusCode::kAlreadyExists);
  {
    // A writer that never finishes leaves the old package, and nothing beside it.
    auto writer = PackageWriter::create(path, sample.circuit, sample.program);
    ASSERT_TRUE(writer.ok()) << writer.status();
    EXPECT_FALSE(writer->addFile("../escape", "").ok());
    writer->fixedColumn(0, 0)[0] = kModulus;
    EXPECT_THAT(std::string(writer->finish().message()),
                HasSubstr("table \"x\", column \"start\", row 0"));
  }
  EXPECT_TRUE(Package::open(path).ok());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 2);
}

TEST(Package, MissingAndMisfitFiles) {
  std::string path = testing::freshFolder() + "/model.lindero";
  EXPECT_EQ(Package::open(path).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(testing::writeSample(testing::linearSample(), path).ok());
  std::filesystem::resize_file(path + "/fixed.bin", 100);
  EXPECT_THAT(std::string(Package::open(path).status().message()),
              HasSubstr("fixed.bin: F27: has 100 bytes"));
  PackageOptions verifier;
  verifier.fixed = verifier.program = false;
  std::filesystem::remove(path + "/program.pb");
  EXPECT_TRUE(Package::open(path, verifier).ok());
  EXPECT_EQ(Package::open(path).status().code(), absl::StatusCode::kNotFound);
}

// What Package::open does with the bytes of the two files, without the files.
absl::Status readBytes(const std::string& circuit_bytes, const std::string& program_bytes) {
  Circuit circuit;
  absl::Status parsed = parseProto(circuit_bytes, kCircuitFile, circuit);
  if (!parsed.ok()) return parsed;
  absl::StatusOr<CircuitInfo> info = analyzeCircuit(circuit);
  if (!info.ok()) return info.status();
  Program program;
  parsed = parseProto(program_bytes, kProgramFile, program);
  if (!parsed.ok()) return parsed;
  return analyzeProgram(program, circuit).status();
}

// What is decoded to the same message, for this reader or for another one: later fields win,
// defaults are left out, numbers of 32 bits lose what is above.
TEST(Package, RefusesOtherBytesForTheSameCircuit) {
  const std::string path = testing::freshFolder() + "/model.lindero";
  ASSERT_TRUE(testing::writeSample(testing::linearSample(), path).ok());
  const std::string bytes = *readFile(path + "/circuit.pb", 1 << 20);
  // The format once more; most_blocks and links of earlier versions.
  for (const std::string& more :
       {std::string("\x08\x01"), std::string("\x68\x02"), std::string("\x62\x02\x10\x01")}) {
    ASSERT_TRUE(writeFile(path + "/circuit.pb", bytes + more).ok());
    EXPECT_THAT(std::string(Package::open(path).status().message()), HasSubstr("F1: "));
  }
  ASSERT_TRUE(writeFile(path + "/circuit.pb", bytes).ok());
  EXPECT_TRUE(Package::open(path).ok());
}

// Bytes that a fuzzer would try: nothing may crash.
TEST(Package, SurvivesDamagedBytes) {
  testing::Sample sample = testing::linearSample();
  const std::string circuit = serializeProto(sample.circuit),
                    program = serializeProto(sample.program);
  std::mt19937_64 random(11);
  for (const std::string& good : {circuit, program}) {
    size_t accepted = 0;
    for (size_t i = 0; i < 6 * good.size(); ++i) {
      std::string bad = good;
      size_t at = i % good.size();
      if (i < good.size()) {
        bad.resize(at);
      } else if (i < 3 * good.size()) {
        bad[at] = static_cast<char>(random());
      } else if (i < 5 * good.size()) {
        bad[at] ^= static_cast<char>(1 << (random() % 8));
      } else {
        bad.insert(at, 1, static_cast<char>(random()));
      }
      absl::Status status = good == circuit ? readBytes(bad, program) : readBytes(circuit, bad);
      accepted += status.ok();
      if (!status.ok()) {
        ASSERT_FALSE(status.message().empty());
      }
    }
    // Most damage is noticed; that to names and constants cannot be.
    EXPECT_LT(accepted, 3 * good.size());
  }
}

TEST(Package, SurvivesDamagedFiles) {
  std::string path = testing::freshFolder() + "/model.lindero";
  ASSERT_TRUE(testing::writeSample(testing::linearSample(), path).ok());
  for (const char* name : {kCircuitFile, kProgramFile, kFixedFile}) {
    std::string file = path + "/" + name;
    std::string good = *readFile(file, 1 << 20);
    for (size_t keep : {size_t{0}, size_t{1}, good.size() / 2, good.size() - 1}) {
      ASSERT_TRUE(writeFile(file, good.substr(0, keep)).ok());
      absl::StatusOr<Package> package = Package::open(path);
      ASSERT_FALSE(package.ok()) << name << " " << keep;
      EXPECT_THAT(std::string(package.status().message()), HasSubstr(path)) << name << " " << keep;
    }
    ASSERT_TRUE(writeFile(file, good).ok());
  }
  EXPECT_TRUE(Package::open(path).ok());
}

TEST(Package, UnknownFieldsAreRefused) {
  std::string path = testing::freshFolder() + "/model.lindero";
  ASSERT_TRUE(testing::writeSample(testing::linearSample(), path).ok());
  std::string bytes = *readFile(path + "/circuit.pb", 1 << 20);
  ASSERT_TRUE(writeFile(path + "/circuit.pb", bytes + std::string("\xa0\x06\x01", 3)).ok());
  EXPECT_THAT(std::string(Package::open(path).status().message()), HasSubstr("does not know"));
}

}  // namespace
}  // namespace lindero::runtime
