/* An executable, which is no plugin either. */
int main(void) { return 0; }
