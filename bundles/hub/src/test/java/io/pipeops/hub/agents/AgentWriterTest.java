package io.pipeops.hub.agents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.OutgoingEntry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The order of what is sent, with senders that have to wait. */
@Timeout(60)
class AgentWriterTest {
  private static final int STREAMS = 6;
  private static final int MESSAGES = 6000;

  private final ExecutorService socket = Executors.newSingleThreadExecutor();
  private final int[] next = new int[STREAMS];
  private final CompletableFuture<String> result = new CompletableFuture<>();

  @AfterEach
  void stop() {
    socket.shutdownNow();
  }

  /** Takes a message at a time, later, and checks the number that it carries. */
  private final class Socket extends CoreSession.Empty {
    @Override
    public void sendFrame(OutgoingEntry entry) {
      socket.execute(
          () -> {
            ByteBuffer data = entry.getFrame().getPayload();
            int stream = data.getInt();
            int number = data.getInt();
            if (next[stream] != number) {
              result.complete(
                  "stream " + stream + ": message " + number + " instead of " + next[stream]);
            }
            next[stream] = number + 1;
            int sent = 0;
            for (int one : next) {
              sent += one;
            }
            if (sent == STREAMS * MESSAGES) {
              result.complete("in order");
            }
            entry.getCallback().succeeded();
          });
    }
  }

  @Test
  void aShortMessageNeverOvertakesALongOneOfItsStream() throws Exception {
    AgentWriter writer = new AgentWriter(amount -> {}, 1 << 20, () -> {});
    writer.open(new Socket());
    List<Thread> senders = new ArrayList<>();
    for (int i = 0; i < STREAMS; i++) {
      int stream = i;
      senders.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    Random random = new Random(stream);
                    try {
                      for (int number = 0; number < MESSAGES; number++) {
                        // Long ones fill the stream's share, and the sender waits for room.
                        int size = random.nextInt(3) == 0 ? 20 : 16 << 10;
                        ByteBuffer message = ByteBuffer.allocate(size);
                        message.putInt(0, stream).putInt(4, number);
                        assertTrue(writer.frame("s" + stream, message));
                      }
                    } catch (InterruptedException e) {
                      Thread.currentThread().interrupt();
                    }
                  }));
    }
    try {
      assertEquals("in order", result.get(50, TimeUnit.SECONDS));
    } finally {
      writer.close();
      for (Thread sender : senders) {
        sender.join();
      }
    }
  }
}
