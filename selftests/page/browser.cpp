// SPDX-License-Identifier: MIT
// Goal: the page does in a browser what it promises: it draws lanes, bars, faults, deadlines and causes,
// obeys the keyboard, follows light and dark, and raises no error. Method: headless Chromium loads pages,
// with a script at their end that acts as a user would and writes down what it sees. Screenshots are left to
// be looked at. Skipped where there is no Chromium.

#include "page.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;

class browser : public testing::Test
{
protected:
    void SetUp() override
    {
        if (std::string_view(MISHAP_CHROMIUM).empty())
            GTEST_SKIP() << "there is no Chromium: what the page does is not tested";
        folder_ = fs::path(testing::TempDir()) / fmt::format("page_{}", getpid());
        fs::create_directories(folder_);
        fs::create_directories(SCREENSHOTS);
    }
    void TearDown() override { fs::remove_all(folder_); }

    /// The page as Chromium has it after the script ran.
    std::string load(const std::string& page, const std::string& script, const std::string& flags = "") const
    {
        return chromium(page + "<script>\n" + prelude + script + "\nwritten();\n</script>",
            "--dump-dom --window-size=1400,1000 " + flags);
    }

    void take_screenshot(
        const std::string& page, const std::string& name, int height, const std::string& flags = "") const
    {
        const fs::path file = fs::path(SCREENSHOTS) / name;
        fs::remove(file);
        chromium(page, fmt::format("--hide-scrollbars --window-size=1400,{} --screenshot='{}' {}", height,
                           file.string(), flags));
        std::error_code none;
        EXPECT_GT(fs::file_size(file, none), 20'000u) << file;
    }

private:
    std::string chromium(const std::string& page, const std::string& flags) const
    {
        const fs::path file = folder_ / "page.html";
        std::ofstream(file, std::ios::binary) << page;
        const std::string command =
            fmt::format("timeout 60 '{}' --headless=new --no-sandbox --disable-gpu --user-data-dir='{}' "
                        "--virtual-time-budget=3000 {} 'file://{}' 2>/dev/null",
                MISHAP_CHROMIUM, (folder_ / "profile").string(), flags, file.string());
        FILE* pipe = popen(command.c_str(), "r");
        std::string output;
        char buffer[4096];
        for (std::size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
            output.append(buffer, n);
        pclose(pipe);
        return output;
    }

    static constexpr const char* prelude = R"(
const seen = {};
const key = (element, name) =>
  element.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
const written = () => { const pre = document.createElement("pre"); pre.id = "seen";
  pre.textContent = Object.entries(seen).map((pair) => pair.join("=")).join("\n");
  document.body.append(pre); };
)";

    fs::path folder_;
};

std::string seen(const std::string& dom, const std::string& name)
{
    const std::string all = "\n" + page::between(dom, R"(<pre id="seen">)", "</pre>") + "\n";
    return page::between(all, "\n" + name + "=", "\n");
}

TEST_F(browser, draws_the_run_and_obeys_the_keyboard)
{
    const std::string page = to_html(page::campaign_of_five("five"));
    const std::string dom = load(page, R"js(
const svg = document.querySelector("svg.timeline");
seen.title = document.querySelector("h1").textContent;
seen.lanes = svg.getAttribute("aria-label");
key(svg, "0"); // draws at once, where the first frame has not come yet
seen.bars = svg.querySelectorAll("rect.hit").length > 150;
seen.faults = svg.querySelectorAll('path[fill="var(--failed)"]').length > 0;
seen.plans = document.querySelectorAll(".plans .card").length;
seen.runs = document.querySelectorAll("svg.timeline").length;
svg.focus();
seen.focus = document.activeElement === svg;
key(svg, "ArrowRight"); key(svg, "ArrowRight");
const detail = document.querySelector(".detail");
seen.second = detail.querySelector("h4").textContent;
key(svg, "ArrowDown");
seen.down = detail.querySelector("h4").textContent;
key(svg, "End");
key(svg, "ArrowUp");
key(svg, "c");
seen.cause = detail.querySelector("h4").textContent !== seen.second;
const bars = () => svg.querySelectorAll("rect.hit").length;
key(svg, "0"); const all = bars(); for (let i = 0; i < 6; ++i) key(svg, "+");
seen.zoomed = bars() < all;
key(svg, "t");
seen.scale = document.querySelector('[aria-pressed="true"]').textContent;
document.querySelector(".proof button").click();
seen.proof = detail.textContent.includes("proves");
seen.causes = detail.querySelectorAll(".chain li").length > 0;
seen.arrows = svg.querySelectorAll("path[marker-end]").length > 0;
document.querySelector("details").open = true;
)js");
    EXPECT_EQ(seen(dom, "title"), "five breaks closes_everything") << dom.substr(0, 2'000);
    EXPECT_NE(seen(dom, "lanes").find(" events in "), std::string::npos) << seen(dom, "lanes");
    for (const char* what : {"bars", "faults", "focus", "causes", "arrows", "cause", "zoomed", "proof"})
        EXPECT_EQ(seen(dom, what), "true") << what;
    EXPECT_EQ(seen(dom, "plans"), "2");
    EXPECT_EQ(seen(dom, "runs"), "2");
    EXPECT_NE(seen(dom, "down"), seen(dom, "second"));
    EXPECT_EQ(seen(dom, "scale"), "To scale");
    take_screenshot(page, "five_lanes.png", 1'500);
    take_screenshot(page, "five_lanes_dark.png", 1'500, "--blink-settings=preferredColorScheme=0");
}

TEST_F(browser, follows_light_and_dark_and_has_a_switch)
{
    const std::string page = to_html(page::campaign_of_five("five"));
    const std::string script = R"js(
const ground = () => getComputedStyle(document.body).backgroundColor;
seen.before = ground();
const theme = document.getElementById("theme");
theme.click(); seen.light = ground(); seen.word = theme.textContent;
theme.click(); seen.dark = ground();
theme.click(); seen.after = ground() === seen.before;
)js";
    const std::string by_day = load(page, script);
    const std::string by_night = load(page, script, "--blink-settings=preferredColorScheme=0");
    EXPECT_EQ(seen(by_day, "word"), "Theme: light");
    EXPECT_EQ(seen(by_day, "before"), seen(by_day, "light"));
    EXPECT_NE(seen(by_day, "before"), seen(by_day, "dark"));
    EXPECT_EQ(seen(by_night, "before"), seen(by_day, "dark"));
    EXPECT_EQ(seen(by_night, "light"), seen(by_day, "light"));
    EXPECT_EQ(seen(by_night, "after"), "true");
}

TEST_F(browser, shows_what_hostile_names_are_made_of)
{
    const std::string hostile =
        "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>";
    const std::string dom = load(to_html(page::campaign_of_five(hostile)), R"js(
seen.title = document.title.includes("taken'");
seen.images = document.images.length;
seen.scripts = document.scripts.length;
seen.heading = document.querySelector("h1").textContent.startsWith("<" + "/script><script>");
)js");
    EXPECT_EQ(seen(dom, "title"), "true") << "as text";
    EXPECT_EQ(seen(dom, "images"), "0");
    EXPECT_EQ(seen(dom, "scripts"), "3") << "data, the page's own, and this test's";
    EXPECT_EQ(seen(dom, "heading"), "true");
}

TEST_F(browser, shows_the_campaign_with_its_matrix)
{
    const std::string page = to_html(page::campaign_of_five("five"));
    const std::string dom = load(page, R"js(
location.hash = "#0.0";
dispatchEvent(new HashChangeEvent("hashchange"));
seen.heading = document.querySelector("h1").textContent.startsWith("five breaks closes_everything");
seen.rows = document.querySelectorAll(".matrix tbody tr").length;
seen.current = document.querySelector("nav a[aria-current]").getAttribute("href");
)js");
    EXPECT_EQ(seen(dom, "heading"), "true") << dom.substr(0, 2'000);
    EXPECT_EQ(seen(dom, "rows"), "4"); // body, close, create, query
    EXPECT_EQ(seen(dom, "current"), "#0.0");
}

} // namespace
