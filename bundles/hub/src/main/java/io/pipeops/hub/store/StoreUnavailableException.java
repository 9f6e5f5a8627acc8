package io.pipeops.hub.store;

/**
 * The database cannot be used now. The message is fit for an operator: it names the database, what
 * failed and what to do. The next call tries again.
 */
public final class StoreUnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public StoreUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
