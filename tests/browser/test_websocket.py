"""A WebSocket of a page in a headless browser."""

from selenium.webdriver.common.by import By

from tests.browser.conftest import wait
from tests.support import eyewall

APP = '''
from eyewall.realtime import WebSocketHandler
from eyewall.web import Application, RequestHandler

PAGE = """<!doctype html><title>Echo</title><p id=log></p><script>
const log = text => document.querySelector("#log").append(text, " | ")
const ws = new WebSocket(`ws://${location.host}/echo`, ["one", "two"])
ws.binaryType = "arraybuffer"
ws.onopen = () => {
  log(`open ${ws.protocol} ${ws.extensions.split(";")[0]}`)
  ws.send("grüße ".repeat(20))
  ws.send(new Uint8Array([0, 255, 7]))
}
ws.onmessage = ({data}) => {
  if (typeof data == "string") return log(`text ${data.length}`)
  log(`bytes ${new Uint8Array(data)}`)
  ws.send("enough")
}
ws.onclose = ({code, reason, wasClean}) => log(`close ${code} ${reason} ${wasClean}`)
</script>"""


class Page(RequestHandler):
    def get(self):
        self.write(PAGE)


class Echo(WebSocketHandler):
    def select_subprotocol(self, subprotocols):
        return subprotocols[-1]

    def get_compression_options(self):
        return {"context_takeover": True}

    def on_message(self, message):
        if message == "enough":
            self.close(4001, "goodbye")
        else:
            self.write_message(message, isinstance(message, bytes))


app = Application([("/", Page), ("/echo", Echo)])
'''


def test_a_page_talks_and_hears_the_end(open_page, tmp_path):
    (tmp_path / "talking.py").write_text(APP)
    command = ("run", "talking:app", "--app-dir", str(tmp_path), "--port", "0")
    with eyewall(*command) as server:
        page = open_page(server.url())
        wait(page, lambda page: "close" in page.find_element(By.ID, "log").text)
        assert page.find_element(By.ID, "log").text.removesuffix(" |").split(" | ") == [
            "open two permessage-deflate",
            "text 120",
            "bytes 0,255,7",
            "close 4001 goodbye true",
        ]
        assert server.stop() == 0
