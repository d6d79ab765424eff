"""Names looked up by Twisted's DNS client, from a DNS server of Twisted's."""

import subprocess
import sys
import textwrap

from tests.support import ROOT

PROGRAM = """
import asyncio, json, socket, sys
from eyewall.aio.deferreds import install
from eyewall.net.twisted_resolver import TwistedResolver

HOSTS = {
    b"both.example": ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
    b"four.example": ["192.0.2.3"],
}

async def main():
    reactor = install()
    from twisted.names import authority, dns, server

    class Zone(authority.FileAuthority):
        def loadFile(self, zone):
            self.soa, self.records = zone["soa"], zone["records"]

    zone = {"soa": (b"example", dns.Record_SOA()), "records": {}}
    for name, ips in HOSTS.items():
        zone["records"][name] = [
            dns.Record_AAAA(ip) if ":" in ip else dns.Record_A(ip) for ip in ips
        ]
    zone["records"][b"alias.example"] = [dns.Record_CNAME(b"four.example")]
    known = Zone(zone)
    listening = reactor.listenUDP(
        0, dns.DNSDatagramProtocol(server.DNSServerFactory(authorities=[known])), interface="127.0.0.1"
    )
    hosts = sys.argv[1]
    resolver = TwistedResolver(servers=[("127.0.0.1", listening.getHost().port)], hosts=hosts)
    print(sorted(await resolver.resolve("both.example", 80)))
    print(await resolver.resolve("both.example", 80, socket.AF_INET6))
    print(await resolver.resolve("alias.example", 443, socket.AF_INET))
    print(await resolver.resolve("local.example", 1, socket.AF_INET))
    print(await resolver.resolve("127.0.0.1", 2), await resolver.resolve("::1", 3))
    for name, family in (("none.example", 0), ("::1", socket.AF_INET)):
        try:
            await resolver.resolve(name, 80, family)
        except socket.gaierror as exc:
            print("none:", exc.args[1].split()[0])
    listening.stopListening()

asyncio.run(main())
"""


def test_names_aliases_hosts_and_addresses_are_resolved(tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.9 local.example\n")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(hosts)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.stdout.splitlines() == [
        "[(2, ('192.0.2.1', 80)), (2, ('192.0.2.2', 80)), (10, ('2001:db8::1', 80, 0, 0))]",
        "[(10, ('2001:db8::1', 80, 0, 0))]",
        "[(2, ('192.0.2.3', 443))]",
        "[(2, ('192.0.2.9', 1))]",
        "[(2, ('127.0.0.1', 2))] [(10, ('::1', 3, 0, 0))]",
        "none: none.example",
        "none: ::1:",
    ], done.stderr
