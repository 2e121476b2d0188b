// A second OPC UA server made with node-opcua, for tests about data: limits,
// history, browsing, namespaces, many items. It takes its settings as JSON in
// the first argument, prints one line of JSON with its port, and obeys lines
// on standard input; it ends when that closes.
//
// Settings:
//   port       0 for a free one
//   limits     serverCapabilities.operationLimits
//   decoys     namespaces that are registered before urn:gridwarden:data
//   items      number of variables I0, I1, … that count how often they were looked at
//   history    keep a history of Energy and ActivePower of meter M1
// Always there, in the folder Substation: meters M1 to M3, each an object with
// ActivePower (kW), ReactivePower (kvar), Frequency (Hz), PowerFactor,
// Voltage L1-N (V), Current L1 (A), Energy (Wh), Serial (a text) and Door (a
// Boolean), analogue items with units and ranges; a transformer monitor TR1
// with TopOilTemperature in °F; a folder that contains itself; and Step, a
// number that commands set.
// Commands: {"set":{"M1.ActivePower":12.5}} sets values;
//   {"status":{"M1.ActivePower":1083179008}} sets a status code beside the value;
//   {"burst":{"node":"Step","count":100}} sets 1, 2, … without a pause;
//   {"stop publishing":true} keeps the connection and answers no Publish.
"use strict";
const fs = require("fs");
const os = require("os");
const path = require("path");
const crypto = require("crypto");
const readline = require("readline");
const {
  OPCUAServer, OPCUACertificateManager, DataType, Variant, StatusCodes, SecurityPolicy, MessageSecurityMode,
  standardUnits, makeEUInformation, coerceStatusCode,
} = require("node-opcua");

async function main() {
  const settings = JSON.parse(process.argv[2] || "{}");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "gridwarden-opcua-"));
  const certificates = new OPCUACertificateManager({ rootFolder: path.join(folder, "pki"), automaticallyAcceptUnknownCertificate: true });
  await certificates.initialize();
  const server = new OPCUAServer({
    port: settings.port || 0, host: "127.0.0.1", hostname: "127.0.0.1", resourcePath: "/peer",
    serverCertificateManager: certificates, userCertificateManager: certificates,
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256], securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign], allowAnonymous: true,
    serverInfo: { applicationName: { text: "data" } }, registerServerMethod: 1, maxConnectionsPerEndpoint: 5000,
    serverCapabilities: {
      maxSessions: 5000, maxSubscriptions: 1000, maxMonitoredItems: 100000, maxMonitoredItemsPerSubscription: 100000,
      operationLimits: settings.limits || {},
    },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  for (const uri of settings.decoys || []) space.registerNamespace(uri);
  const ns = space.registerNamespace("urn:gridwarden:data");
  const substation = ns.addFolder("ObjectsFolder", { browseName: "Substation" });
  const nodes = new Map();
  const add = (parent, id, browseName, dataType, value, unit, range) => {
    const options = { componentOf: parent, browseName, nodeId: `s=${id}`, dataType, minimumSamplingInterval: 50 };
    const node = unit
      ? ns.addAnalogDataItem({ ...options, engineeringUnits: unit, engineeringUnitsRange: range })
      : ns.addVariable(options);
    node.setValueFromSource({ dataType, value });
    nodes.set(id, node);
    return node;
  };
  const unit = (symbol, text, code) => makeEUInformation(symbol, symbol, text);
  for (let n = 1; n <= 3; n++) {
    const m = ns.addObject({ componentOf: substation, browseName: `M${n}`, nodeId: `s=M${n}` });
    add(m, `M${n}.P`, "ActivePower", "Double", 10 * n + 0.25, unit("kW", "kilowatt"), { low: 0, high: 100 });
    add(m, `M${n}.Q`, "ReactivePower", "Float", 2.5 * n, unit("kvar", "kilovar"), { low: -50, high: 50 });
    add(m, `M${n}.F`, "Frequency", "Double", 50.02, standardUnits.hertz, { low: 45, high: 65 });
    add(m, `M${n}.PF`, "PowerFactor", "Double", 0.97);
    add(m, `M${n}.U1`, "Voltage L1-N", "Double", 230.5, standardUnits.volt, { low: 0, high: 300 });
    add(m, `M${n}.I1`, "Current L1", "Double", 43.5, standardUnits.ampere, { low: 0, high: 100 });
    add(m, `M${n}.E`, "Energy", "UInt32", 1000 * n, unit("Wh", "watt hour"), { low: 0, high: 4e9 });
    add(m, `M${n}.S`, "Serial", "String", `SN-${n}`);
    add(m, `M${n}.D`, "Door", "Boolean", false);
    add(m, `M${n}.X`, "Flux capacity", "Double", 1.21);
  }
  const tr = ns.addObject({ componentOf: substation, browseName: "TR1", nodeId: "s=TR1" });
  add(tr, "TR1.O", "TopOilTemperature", "Double", 140, unit("°F", "degree Fahrenheit"), { low: -40, high: 300 });
  add(tr, "TR1.L", "Load", "Int16", 73, unit("%", "percent"), { low: 0, high: 150 });
  const loop = ns.addFolder(substation, { browseName: "Loop", nodeId: "s=Loop" });
  loop.addReference({ referenceType: "Organizes", isForward: true, nodeId: loop.nodeId });
  loop.addReference({ referenceType: "Organizes", isForward: true, nodeId: substation.nodeId });
  add(substation, "Step", "Step", "Double", 0);
  if (settings.history) {
    for (const id of ["M1.P", "M1.E"]) space.installHistoricalDataNode(nodes.get(id), { maxOnlineValues: 100000 });
  }
  // Each look at such a node counts it up by one: whoever monitors it must see
  // every number.
  for (let i = 0; i < (settings.items || 0); i++) {
    let looks = 0;
    ns.addVariable({
      componentOf: substation, browseName: `I${i}`, nodeId: `s=I${i}`, dataType: "Double", minimumSamplingInterval: 100,
      value: { get: () => new Variant({ dataType: DataType.Double, value: ++looks }) },
    });
  }
  await server.start();
  console.log(JSON.stringify({
    port: server.endpoints[0].port, namespace: ns.index, sha256: crypto.createHash("sha256").update(server.getCertificate()).digest("hex"),
  }));
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const c = JSON.parse(line);
    for (const [id, value] of Object.entries(c.set || {})) {
      const node = nodes.get(id);
      node.setValueFromSource({ dataType: node.readValue().value.dataType, value }, StatusCodes.Good, new Date());
    }
    for (const [id, code] of Object.entries(c.status || {})) {
      const node = nodes.get(id);
      node.setValueFromSource(node.readValue().value, coerceStatusCode(code), new Date());
    }
    if (c.burst) {
      const node = nodes.get(c.burst.node);
      for (let i = 1; i <= c.burst.count; i++) node.setValueFromSource({ dataType: DataType.Double, value: i });
    }
    if (c["stop publishing"]) {
      for (const s of Object.values(server.engine._sessions)) s.publishEngine._on_PublishRequest = () => {};
    }
    console.log(JSON.stringify({ done: true }));
  }).on("close", () => {
    fs.rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  });
}

main().catch((err) => { console.error(err); process.exit(1); });
