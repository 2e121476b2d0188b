"""A Modbus TCP server made with pymodbus, as a peer that shares no code with
the driver. It prints its port, and ends when its standard input closes. With
the argument "rtu" it speaks RTU frames over TCP.

Unit 1 has values in many encodings, unit 3 only two registers (everything
else is an illegal address), and every other unit is silent.
"""
import asyncio
import struct
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server.async_io import ModbusTcpServer
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
    slaves = {
        1: ModbusSlaveContext(hr=ModbusSequentialDataBlock(0, h), ir=ModbusSequentialDataBlock(0, i), zero_mode=True),
        3: ModbusSlaveContext(hr=ModbusSequentialDataBlock(0, words(struct.pack(">f", 1.5))),
                              ir=ModbusSequentialDataBlock(0, [0]), zero_mode=True),
    }

    framer = ModbusRtuFramer if "rtu" in sys.argv else ModbusSocketFramer

    async def serve():
        server = ModbusTcpServer(ModbusServerContext(slaves=slaves, single=False), framer=framer,
                                 address=("127.0.0.1", 0), ignore_missing_slaves=True)
        task = asyncio.ensure_future(server.serve_forever())
        await server.serving
        print(server.server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_event_loop().run_in_executor(None, sys.stdin.read)
        task.cancel()

    asyncio.run(serve())


main()
