// Whose turn it is, when several callers share what only one can have at a
// time: start-time fair queueing.  A caller's turn comes at the virtual time at
// which what it was given before ends; one that was not there gets no credit
// for that, and none that waits is passed over for long.
//
// Source: Goyal, Vin, Cheng, "Start-time Fair Queuing", SIGCOMM 1996.
// Thread-compatible.

#ifndef SALIENCY_CORE_ENGINE_RUN_FAIR_SHARES_H_
#define SALIENCY_CORE_ENGINE_RUN_FAIR_SHARES_H_

#include <map>
#include <string>

namespace saliency {

class FairShares {
 public:
  // When the caller's turn comes, in virtual time: the least is next.
  double Turn(const std::string& caller) const;
  // The caller is given work of this cost, > 0, in any unit.
  void Charge(const std::string& caller, double cost);

 private:
  double now_ = 0;  // where what was given last began
  // Where each caller's ends; of those that is to come alone.
  std::map<std::string, double> ends_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_FAIR_SHARES_H_
