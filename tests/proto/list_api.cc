// Prints the listing of saliency.v1 that proto/saliency/v1/api.txt freezes.

#include <iostream>

#include "tests/proto/api_listing.h"

int main() {
  for (const std::string& line : saliency::ApiListing(saliency::ApiFiles())) {
    std::cout << line << '\n';
  }
  return std::cout.flush() ? 0 : 1;
}
