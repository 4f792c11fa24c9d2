// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
import { mount } from 'svelte';
import App from './App.svelte';
import './page.css';

mount(App, { target: document.getElementById('page')! });
