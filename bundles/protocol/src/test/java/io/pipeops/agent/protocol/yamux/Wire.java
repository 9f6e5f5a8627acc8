package io.pipeops.agent.protocol.yamux;

import java.nio.ByteBuffer;
import java.util.Random;
import java.util.concurrent.LinkedBlockingQueue;

/** Connects two sessions; each direction is cut into pieces of random size. */
final class Wire implements AutoCloseable {
  private static final ByteBuffer END = ByteBuffer.allocate(0);

  private final Side toServer = new Side();
  private final Side toClient = new Side();
  final YamuxSession client;
  final YamuxSession server;

  Wire(long seed, YamuxSettings settings, WindowBudget budget) throws InterruptedException {
    client = YamuxSession.client(settings, toServer, budget);
    server = YamuxSession.server(settings, toClient, budget);
    toServer.run(server, new Random(seed));
    toClient.run(client, new Random(seed + 1));
  }

  @Override
  public void close() {
    client.close();
    server.close();
    toServer.queue.add(END);
    toClient.queue.add(END);
  }

  private static final class Side implements YamuxTransport {
    private final LinkedBlockingQueue<ByteBuffer> queue = new LinkedBlockingQueue<>();

    @Override
    public void data(int stream, ByteBuffer frame) {
      queue.add(frame);
    }

    @Override
    public boolean offer(ByteBuffer frame) {
      return queue.add(frame);
    }

    void run(YamuxSession target, Random random) {
      Thread.startVirtualThread(
          () -> {
            try {
              for (ByteBuffer b = queue.take(); b != END; b = queue.take()) {
                while (b.hasRemaining()) {
                  int n =
                      Math.min(
                          b.remaining(), 1 + random.nextInt(random.nextBoolean() ? 20 : 40_000));
                  byte[] piece = new byte[n];
                  b.get(piece);
                  target.feed(ByteBuffer.wrap(piece));
                }
              }
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
          });
    }
  }
}
