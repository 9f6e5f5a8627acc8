package io.pipeops.agent.api.link;

/** Where the connection stands (protocol 1.16). {@link #code} is the value of the state metric. */
public enum LinkState {
  DISCONNECTED(0),
  CONNECTING(1),
  CONNECTED(2),
  RECONNECTING(3),
  /**
   * Another replica leads, and this one waits for the lead; or another agent holds this identity at
   * the peer, and this one keeps asking, slowly.
   */
  STANDBY(4);

  private final int code;

  LinkState(int code) {
    this.code = code;
  }

  public int code() {
    return code;
  }
}
