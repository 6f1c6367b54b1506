#include "runtime/package/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "runtime/package/circuit_info.h"
#include "runtime/package/circuit_reads.h"
#include "runtime/package/package.h"
#include "runtime/package/package_writer.h"
#include "runtime/package/proto_io.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

struct BadBundle {
  std::string name;
  std::function<void(Bundle&)> change;
  std::string message;
};

// Two members that differ in the names of their tensors, linked step by step and within a step.
Bundle twoMembers(const Circuit& circuit) {
  Bundle bundle = testing::linkedBundle();
  Member& second = *bundle.add_members();
  second.set_name("second");
  second.set_circuit(1);
  const auto left = static_cast<uint32_t>(circuit.sum_groups_size() - 1);
  bundle.mutable_links(0)->mutable_ends(1)->set_member(1);
  Link& link = *bundle.add_links();
  link.add_ends()->set_group(left);
  LinkEnd& end = *link.add_ends();
  end.set_member(1);
  end.set_group(bundle.links(0).ends(0).group());
  return bundle;
}

TEST(Bundle, RefusesWhatIsNone) {
  const Circuit circuit = testing::linkedSample();
  Circuit second = circuit;
  for (PublicTensor& tensor : *second.mutable_publics()) tensor.set_name(tensor.name() + "2");
  const Circuit* const circuits[] = {&circuit, &second};
  const Bundle good = twoMembers(circuit);
  ASSERT_EQ(checkBundle(good, circuits), absl::OkStatus());
  auto end = [](Bundle& b, int link, int at) { return b.mutable_links(link)->mutable_ends(at); };
  const std::vector<BadBundle> cases = {
      {"format", [](Bundle& b) { b.set_format(2); }, "F1: format 2"},
      {"no member", [](Bundle& b) { b.clear_members(); }, "F34: 0 members"},
      {"no name", [](Bundle& b) { b.mutable_members(0)->clear_name(); }, "F34"},
      {"a path", [](Bundle& b) { b.mutable_members(0)->set_name("../x"); }, "F34"},
      {"a hidden name", [](Bundle& b) { b.mutable_members(0)->set_name(".x"); }, "F34"},
      {"a long name", [](Bundle& b) { b.mutable_members(0)->set_name(std::string(65, 'x')); },
       "F34"},
      {"a name twice", [](Bundle& b) { b.mutable_members(1)->set_name("whole"); },
       "F34: two members have this name"},
      {"no circuit", [](Bundle& b) { b.mutable_members(1)->set_circuit(2); }, "F34: circuit 2"},
      {"circuits out of order", [](Bundle& b) { b.mutable_members()->SwapElements(0, 1); },
       "F34: circuit 1 does not exist or is out of order"},
      {"a circuit of nobody", [](Bundle& b) { b.mutable_members(1)->set_circuit(0); }, "F34"},
      {"no member of an end", [&](Bundle& b) { end(b, 0, 0)->set_member(2); }, "F35"},
      {"no group", [&](Bundle& b) { end(b, 0, 0)->set_group(90); }, "F35"},
      {"a group that is not exported",
       [&](Bundle& b) { end(b, 0, 0)->set_group(end(b, 0, 0)->group() == 0 ? 1 : 0); }, "F35"},
      {"a group of two links",
       [&](Bundle& b) { *b.mutable_links(1)->mutable_ends(0) = b.links(0).ends(0); },
       "is an end of two links"},
      {"a group twice",
       [&](Bundle& b) { *b.mutable_links(1)->mutable_ends(0) = b.links(1).ends(1); },
       "twice of one"},
      {"one end", [](Bundle& b) { b.mutable_links(1)->mutable_ends()->RemoveLast(); },
       "F35: 1 ends"},
      {"three ends",
       [](Bundle& b) {
         *b.mutable_links(0)->add_ends() = b.links(1).ends(0);
         b.mutable_links()->RemoveLast();
       },
       "F35: 3 ends"},
      {"no ends", [](Bundle& b) { b.add_links(); }, "F35: 0 ends"},
      {"of the step before alone", [&](Bundle& b) { end(b, 0, 0)->set_before(true); },
       "F35: all of its ends are of the step before"},
      {"one step", [](Bundle& b) { b.set_most_steps(1); }, "F36: up to 1 steps of 2 members, with"},
      {"many steps", [](Bundle& b) { b.set_most_steps(32769); }, "F36"},
      {"steps that nothing ties", [&](Bundle& b) { end(b, 0, 1)->set_before(false); },
       "F36: up to 3 steps of 2 members, without"},
  };
  for (const BadBundle& bad : cases) {
    Bundle bundle = good;
    bad.change(bundle);
    const absl::Status status = checkBundle(bundle, circuits);
    ASSERT_FALSE(status.ok()) << bad.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.message)) << bad.name;
  }
  Bundle shared = good;
  const Circuit* const same[] = {&circuit};
  shared.mutable_members(1)->set_circuit(0);
  EXPECT_THAT(std::string(checkBundle(shared, same).message()),
              HasSubstr("\"x\" is another member's, too"));
  Bundle most = good;
  most.set_most_steps(32768);
  EXPECT_EQ(checkBundle(most, circuits), absl::OkStatus());
}

TEST(Bundle, LimitsMembersTimesParts) {
  Circuit circuit = testing::linkedSample();
  circuit.clear_publics();
  while (circuit.sum_groups_size() < kMaxSumGroups) circuit.add_sum_groups();
  const Circuit* const circuits[] = {&circuit};
  const int parts = circuit.tables_size() + circuit.challenges_size() + circuit.sum_groups_size();
  Bundle bundle = bundleOfOne();
  while (bundle.members_size() < (1 << 24) / parts) {
    bundle.add_members()->set_name(absl::StrCat(bundle.members_size()));
  }
  // The last group of the last member is looked at once per end, however many groups there are.
  for (int m = 1; m < bundle.members_size(); ++m) {
    Link& link = *bundle.add_links();
    for (int of : {m - 1, m}) {
      LinkEnd& end = *link.add_ends();
      end.set_member(static_cast<uint32_t>(of));
      end.set_group(static_cast<uint32_t>(of == m ? kMaxSumGroups - 1 : kMaxSumGroups - 2));
    }
  }
  for (int back : {1, 2}) circuit.mutable_sum_groups(kMaxSumGroups - back)->set_exported(true);
  EXPECT_EQ(checkBundle(bundle, circuits), absl::OkStatus());
  bundle.add_members()->set_name("more");
  EXPECT_THAT(std::string(checkBundle(bundle, circuits).message()),
              HasSubstr("F34: tables, challenges and sum groups of all members"));
}

TEST(Bundle, LimitsTheWorkOfItsCircuitsTogether) {
  absl::StatusOr<CircuitInfo> info = analyzeCircuit(testing::linkedSample());
  ASSERT_EQ(info.status(), absl::OkStatus());
  EXPECT_GT(info->work, 0);
  info->work = kMaxVisits / 2;
  CircuitWork work;
  EXPECT_EQ(work.count(*info), absl::OkStatus());
  EXPECT_EQ(work.count(*info), absl::OkStatus());
  info->work = 1;
  EXPECT_THAT(std::string(work.count(*info).message()), HasSubstr("F26: what columns"));
}

TEST(Bundle, RefusesTooManyChallengesAndGroups) {
  Circuit challenges = testing::linkedSample(), groups = challenges;
  while (challenges.challenges_size() <= kMaxChallenges) challenges.add_challenges();
  while (groups.sum_groups_size() <= kMaxSumGroups) groups.add_sum_groups();
  EXPECT_THAT(std::string(analyzeCircuit(challenges).status().message()),
              HasSubstr("F2: more than 4096 challenges"));
  EXPECT_THAT(std::string(analyzeCircuit(groups).status().message()),
              HasSubstr("F2: more than 4096 sum groups"));
}

TEST(Bundle, IsReadWithItsPackage) {
  testing::Sample sample = testing::linearSample();
  const std::string path = testing::freshFolder() + "/model.lindero";
  ASSERT_EQ(testing::writeSample(sample, path), absl::OkStatus());
  EXPECT_EQ(serializeProto(Package::open(path)->bundle()), serializeProto(bundleOfOne()));
  sample.circuit = testing::linkedSample();
  {
    auto writer =
        PackageWriter::create(path, sample.circuit, sample.program, testing::linkedBundle());
    ASSERT_EQ(writer.status(), absl::OkStatus());
    ASSERT_EQ(writer->finish(), absl::OkStatus());
  }
  EXPECT_EQ(Package::open(path)->bundle().most_steps(), 3);
  EXPECT_FALSE(PackageWriter::create(path, testing::linearSample().circuit, sample.program,
                                     testing::linkedBundle())
                   .ok());
}

}  // namespace
}  // namespace lindero::runtime
