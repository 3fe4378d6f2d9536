import js from '@eslint/js';
import query from '@tanstack/eslint-plugin-query';
import hooks from 'eslint-plugin-react-hooks';
import ts from 'typescript-eslint';

const layers = (from, forbidden, why) => ({
  files: [`src/${from}/**`],
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group: forbidden, message: why }] }] },
});

export default ts.config(
  { ignores: ['dist', 'src/client', 'test-results', 'playwright-report'] },
  js.configs.recommended,
  ...ts.configs.strictTypeChecked,
  ...ts.configs.stylisticTypeChecked,
  ...query.configs['flat/recommended'],
  hooks.configs.flat['recommended-latest'],
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'max-lines': ['error', 250],
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  { files: ['src/stream/**'], rules: { '@typescript-eslint/consistent-type-assertions': 'off' } },
  { files: ['*.js'], ...ts.configs.disableTypeChecked },
  layers('components', ['**/features/**', '**/app/**'], 'shared code knows no feature'),
  layers('lib', ['**/features/**', '**/app/**', '**/components/**'], 'shared code knows no feature'),
  layers('stream', ['**/features/**', '**/app/**', '**/components/**'], 'shared code knows no feature'),
  layers('features', ['**/app/**', '../*/*-*', '../../features/**'], 'features do not know one another'),
);
