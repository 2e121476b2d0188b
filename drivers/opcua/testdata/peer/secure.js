// OPC UA servers made with node-opcua, each with a certificate and endpoints
// of its own, for the tests of the driver's security. The one argument is a
// JSON file: a list of {certificate, key (PEM files), uri, policies, modes,
// trusted (folder of client certificates that it accepts; all where empty),
// users (folder of user certificates that it accepts), whole (the whole
// standard address space, which takes longer to load)}. One line of JSON with
// the ports comes out; the servers end when standard input closes.
// The node ns=1;s=Value of each is 42.
"use strict";
const fs = require("fs");
const os = require("os");
const path = require("path");
const { OPCUAServer, OPCUACertificateManager, DataType, SecurityPolicy, MessageSecurityMode, nodesets } = require("node-opcua");

async function manager(folder, name, trusted) {
  const m = new OPCUACertificateManager({ rootFolder: path.join(folder, name), automaticallyAcceptUnknownCertificate: !trusted });
  await m.initialize();
  if (trusted) {
    for (const file of fs.readdirSync(trusted)) {
      await m.trustCertificate(fs.readFileSync(path.join(trusted, file)));
    }
  }
  return m;
}

async function start(folder, n, c) {
  const server = new OPCUAServer({
    port: 0, host: "127.0.0.1", hostname: "127.0.0.1", resourcePath: "/peer",
    nodeset_filename: c.whole ? undefined : [path.join(path.dirname(require.resolve("node-opcua-address-space/package.json")), "nodesets", "mini.Nodeset2.xml")],
    certificateFile: c.certificate, privateKeyFile: c.key,
    serverCertificateManager: await manager(folder, `pki${n}`, c.trusted),
    userCertificateManager: await manager(folder, `users${n}`, c.users),
    securityPolicies: (c.policies || ["Aes256_Sha256_RsaPss"]).map((p) => SecurityPolicy[p]),
    securityModes: (c.modes || ["SignAndEncrypt"]).map((m) => MessageSecurityMode[m]),
    disableDiscovery: false,
    allowAnonymous: true,
    userManager: { isValidUser: (user, password) => user === "reader" && password === "let me read" },
    serverInfo: { applicationUri: c.uri, applicationName: { text: `peer ${n}` } },
    registerServerMethod: 1,
  });
  await server.initialize();
  server.engine.addressSpace.getOwnNamespace().addVariable({
    organizedBy: server.engine.addressSpace.rootFolder.objects, browseName: "Value", nodeId: "s=Value", dataType: "Double",
    value: { dataType: DataType.Double, value: 42 },
  });
  await server.start();
  return server.endpoints[0].port;
}

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "gridwarden-opcua-"));
  const ports = [];
  for (const [n, c] of JSON.parse(fs.readFileSync(process.argv[2], "utf8")).entries()) {
    ports.push(await start(folder, n, c));
  }
  console.log(JSON.stringify({ ports }));
  process.stdin.resume();
  process.stdin.on("end", () => {
    fs.rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  });
}

main().catch((err) => { console.error(err); process.exit(1); });
