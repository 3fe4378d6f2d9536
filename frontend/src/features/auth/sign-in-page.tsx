import { Alert, Button, Paper, PasswordInput, Stack, TextInput, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type SubmitEvent, useState } from 'react';

import { signInMutation } from '../../client/@tanstack/react-query.gen';
import { BellIcon } from '../../components/icons';
import { describeProblem } from '../../lib/problem';
import { setToken } from '../../lib/session';

export function SignInPage() {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const signIn = useMutation({ ...signInMutation(), onSuccess: setToken });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    signIn.mutate({ body: { name, password } });
  };
  return (
    <main className="sign-in">
      <Paper withBorder p="xl" w="100%" maw={360} component="form" onSubmit={submit}>
        <Stack gap="md">
          <Title order={1} size="h3" className="brand">
            <BellIcon /> Openbell
          </Title>
          <TextInput
            label="Name"
            autoComplete="username"
            autoFocus
            required
            value={name}
            onChange={(event) => {
              setName(event.currentTarget.value);
            }}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => {
              setPassword(event.currentTarget.value);
            }}
          />
          {signIn.isError && (
            <Alert color="red" role="alert">
              {describeProblem(signIn.error)}
            </Alert>
          )}
          <Button type="submit" loading={signIn.isPending}>
            Sign in
          </Button>
        </Stack>
      </Paper>
    </main>
  );
}
