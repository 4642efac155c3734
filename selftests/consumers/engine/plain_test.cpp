// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <iostream>

int main()
{
    const mishap::campaign_result held = mishap::sweep(&right, options("right"));
    const mishap::campaign_result broke = mishap::sweep(&leaks, options("leaks"));
    std::cout << held << broke;
    return held == mishap::holds && broke.violates("closes_everything") ? 0 : 1;
}
