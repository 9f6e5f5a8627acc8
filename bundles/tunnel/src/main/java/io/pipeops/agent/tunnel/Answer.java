package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.protocol.Headers;
import java.nio.ByteBuffer;

/** How a target's answer gets to the peer (protocol 3.4). For the stream's thread alone. */
interface Answer extends AutoCloseable {
  /**
   * Status and filtered headers, once and first.
   *
   * @param length the body's length if the target told it, else -1
   */
  void head(int status, Headers headers, long length) throws Failure, LinkLostException;

  /** The next bytes; they are copied. */
  void body(ByteBuffer data) throws Failure, LinkLostException;

  /** Nothing more is there at the moment, so what is held back must go. */
  void flush() throws Failure, LinkLostException;

  /** All is well: the terminal message. */
  void end() throws Failure, LinkLostException;

  /** It went wrong: the other terminal message, at any time before the end. */
  void fail(String error) throws LinkLostException;

  @Override
  default void close() {}
}
