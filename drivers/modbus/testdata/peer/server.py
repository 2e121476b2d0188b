"""A Modbus server made with pymodbus, as a peer that shares no code with the
driver. It prints its port, and ends when its standard input closes. With the
argument "rtu" it speaks RTU frames over TCP; with "serial" and the path of a
serial port, RTU frames there; with "tls" and files of its certificate, its key
and the authority of clients, Modbus/TCP Security.

Unit 1 has values in many encodings and bits, unit 3 only two registers
(everything else is an illegal address), and every other unit is silent.
"""
import asyncio
import ssl
import struct
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer


def words(data):
    return list(struct.unpack(f">{len(data) // 2}H", data))


def swapped(data):
    """Low word first."""
    return list(reversed(words(data)))


def put(block, address, values):
    block[address:address + len(values)] = values


def unit_one():
    h, i = [0] * 200, [0] * 200
    put(h, 0, words(struct.pack(">f", 230.5)))
    put(h, 2, words(struct.pack(">f", 231.25)))
    put(h, 4, words(struct.pack(">f", 229.75)))
    put(h, 10, swapped(struct.pack(">f", 49.98)))
    put(h, 20, words(struct.pack(">I", 1234567)))
    put(h, 22, swapped(struct.pack(">i", -5000)))
    put(h, 24, words(struct.pack(">h", -985)))
    put(h, 26, words(struct.pack(">Q", 9876543210)))
    put(h, 30, words(struct.pack(">d", 12345.678)))
    put(h, 34, [0x1234, 0x5678])
    put(h, 40, words(struct.pack(">f", float("nan"))))
    put(h, 42, [0xFFFF, 0xFFFF])
    put(i, 100, words(struct.pack("<f", 12.5)))
    return h, i


def main():
    h, i = unit_one()
    coils = [address % 3 == 0 for address in range(100)]
    discrete = [address % 5 == 0 for address in range(100)]
    slaves = {
        1: ModbusSlaveContext(hr=ModbusSequentialDataBlock(0, h), ir=ModbusSequentialDataBlock(0, i),
                              co=ModbusSequentialDataBlock(0, coils), di=ModbusSequentialDataBlock(0, discrete),
                              zero_mode=True),
        3: ModbusSlaveContext(hr=ModbusSequentialDataBlock(0, words(struct.pack(">f", 1.5))),
                              ir=ModbusSequentialDataBlock(0, [0]), zero_mode=True),
    }

    context = ModbusServerContext(slaves=slaves, single=False)
    framer = ModbusRtuFramer if "rtu" in sys.argv else ModbusSocketFramer

    async def serve():
        if "serial" in sys.argv:
            # A pseudo-terminal has no parity, and pyserial insists on what it asked for.
            server = ModbusSerialServer(context, framer=ModbusRtuFramer, port=sys.argv[-1], baudrate=115200,
                                        parity="N", stopbits=1, bytesize=8, ignore_missing_slaves=True)
            await server.start()
            print("ready", flush=True)
        else:
            address = ("127.0.0.1", 0)
            if "tls" in sys.argv:
                certificate, key, clients = sys.argv[-3:]
                tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients)
                tls.load_cert_chain(certificate, key)
                tls.verify_mode = ssl.CERT_REQUIRED
                server = ModbusTlsServer(context, framer=framer, address=address, sslctx=tls, ignore_missing_slaves=True)
            else:
                server = ModbusTcpServer(context, framer=framer, address=address, ignore_missing_slaves=True)
            task = asyncio.ensure_future(server.serve_forever())
            await server.serving
            print(server.server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_event_loop().run_in_executor(None, sys.stdin.read)
        if "serial" not in sys.argv:
            task.cancel()

    asyncio.run(serve())


main()
